//! A simulated world around the machine: services that obey a stop after a while or never, sessions that
//! come and go, failures. Time jumps from one input to the next.

mod react;
mod script;

use std::collections::BTreeMap;
use std::time::Duration;

use super::build::{TERMINATE, added, ms, service, shutdown};
use super::harness::Watched;
use crate::machine::cause::Signal;
use crate::machine::exit::Exit;
use crate::machine::handover::HandOverInput;
use crate::machine::id::{Owner, RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::spec::ServiceSpec;
use crate::machine::time::Time;

pub(super) use self::script::{
    End, MainScript, Order, PredecessorScript, RunScript, ServiceScript, SessionScript, SuccessorScript, World,
};

/// More steps than this within a few seconds of simulated time are an endless loop.
const STEPS: usize = 50_000;

/// A world that is played.
struct Play<'a> {
    world: &'a World,
    watched: Watched,
    /// The script of the new process that was requested last.
    successor: Option<SuccessorScript>,
    /// The script of each service, by its id.
    scripts: Vec<&'a ServiceScript>,
    /// What happens next. The number keeps what happens at one moment in order.
    agenda: BTreeMap<(Time, usize), Happening<'a>>,
    planned: usize,
    live: Vec<Option<RunId>>,
    sessions: Vec<Session>,
    /// The home and grace of each group of sessions with a grace of their own, and whether new sessions join it.
    groups: Vec<(Owner, u64, bool)>,
    /// The owners whose sessions were abandoned and whose next run has not begun.
    abandoned: Vec<Owner>,
    steps: usize,
}

/// One thing that happens in the world.
#[derive(Clone, Debug)]
enum Happening<'a> {
    Input(Input),
    Added(ServiceSpec, &'a ServiceScript),
    Order(Order),
    RunEnds(usize, RunId, ExitReason),
    SessionBegins(Owner, SessionScript),
    SessionEnds(usize),
}

#[derive(Debug)]
struct Session {
    owner: Owner,
    /// It belonged to an abandoned run, and is not counted any more.
    uncounted: bool,
    alive: bool,
    obeys: Option<u64>,
}

/// Plays a world to its end, and returns the exit.
pub(super) fn play(world: &World) -> Result<Exit, String> {
    let mut play = Play {
        world,
        watched: Watched::new(world.allowance())
            .holding_state()
            .handing_over(ms(world.upgrade_timeout), world.predecessor.map(|_| 1)),
        successor: None,
        agenda: BTreeMap::new(),
        planned: 0,
        scripts: Vec::new(),
        live: Vec::new(),
        sessions: Vec::new(),
        groups: Vec::new(),
        abandoned: Vec::new(),
        steps: 0,
    };
    play.plan_beginning();
    while !play.watched.oracle.is_over() {
        play.step()?;
    }
    // The machine ignores inputs after its end.
    for happening in std::mem::take(&mut play.agenda).into_values().take(5) {
        if let Happening::Input(event) = happening {
            play.watched.try_handle(event)?;
        }
    }
    Ok(play.watched.state.exit())
}

impl<'a> Play<'a> {
    fn plan_beginning(&mut self) {
        for order in &self.world.orders {
            let (Order::Signal { at, .. }
            | Order::Frozen { at, .. }
            | Order::Shutdown { at }
            | Order::Stop { at, .. }
            | Order::Restart { at, .. }
            | Order::HandOver { at, .. }) = order;
            self.plan(ms(*at), Happening::Order(order.clone()));
        }
        for script in &self.world.root_sessions {
            self.plan(ms(script.at), Happening::SessionBegins(Owner::Root, script.clone()));
        }
        let scripts: Vec<&ServiceScript> = if self.world.needed_come_last {
            self.world.services.iter().rev().collect()
        } else {
            self.world.services.iter().collect()
        };
        for ((at, spec), script) in self.world.specs().into_iter().zip(scripts) {
            self.plan(ms(at), Happening::Added(spec, script));
        }
        if let Some(dies) = self.world.predecessor.and_then(|predecessor| predecessor.dies) {
            self.plan(ms(dies), Happening::Input(Input::HandOver(HandOverInput::PredecessorEnded)));
        }
        let main = &self.world.main;
        if main.listens {
            self.plan(Duration::ZERO, Happening::Input(Input::MainListens));
        }
        if let Some(after) = main.runs {
            self.plan(ms(after), Happening::Input(Input::RunCalled));
        }
        if let Some(after) = main.ends {
            self.plan(ms(after), Happening::Input(Input::MainEnded(main.reason.get())));
        }
        self.plan(ms(self.world.terminated), Happening::Input(TERMINATE));
    }

    fn plan(&mut self, after: Duration, happening: Happening<'a>) {
        let at = self.watched.now + after;
        self.agenda.insert((at, self.planned), happening);
        self.planned += 1;
    }

    /// Goes to the next happening or the next wake, whichever comes first.
    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > STEPS {
            return Err(format!("the world does not end\n{:?}", self.watched));
        }
        let lag = ms(self.world.lags[self.steps % self.world.lags.len()]);
        let wake_at = self.watched.state.wake_at().map(|at| at + lag);
        let next = self.agenda.keys().next().map(|&(at, _)| at);
        let Some(now) = wake_at.into_iter().chain(next).min() else {
            return Err(format!("the world waits for ever\n{:?}", self.watched));
        };
        // A control plane that was late for one input is late for the next one as well.
        self.watched.now = self.watched.now.max(now);
        if next == Some(now) {
            let happening = self.agenda.pop_first().map(|(_, happening)| happening);
            happening.map_or(Ok(()), |happening| self.happens(happening))
        } else {
            self.send(Input::Wake)
        }
    }

    fn happens(&mut self, happening: Happening<'a>) -> Result<(), String> {
        match happening {
            Happening::Order(order) => self.obey(&order),
            Happening::Added(spec, script) => self.add(spec, script),
            Happening::Input(event) => self.send(event),
            Happening::RunEnds(id, run, reason) => {
                if self.live[id] != Some(run) {
                    return Ok(());
                }
                self.live[id] = None;
                let event = Input::ServiceEnded { id: ServiceId(id), run, reason };
                if let Some(echo) = self.scripts[id].echoes_after {
                    self.plan(ms(echo), Happening::Input(event.clone()));
                }
                self.send(event)
            }
            Happening::SessionBegins(owner, script) => {
                let group = script.grace.map(|grace| self.group(owner, grace)).transpose()?;
                let owner = group.unwrap_or(owner);
                self.sessions.push(Session { owner, uncounted: false, alive: true, obeys: script.obeys });
                if let Some(lasts) = script.lasts {
                    self.plan(ms(lasts), Happening::SessionEnds(self.sessions.len() - 1));
                }
                self.send(Input::Wake)
            }
            Happening::SessionEnds(session) => {
                self.sessions[session].alive = false;
                self.send(Input::Wake)
            }
        }
    }

    fn obey(&mut self, order: &Order) -> Result<(), String> {
        let meant = |service: usize| {
            let services = self.watched.state.services();
            let id = ServiceId(service.checked_rem(services.len())?);
            Some((id, services[id.0].before))
        };
        let event = match *order {
            Order::Signal { delivered, from_terminal, .. } => {
                let signal = Signal::Terminate;
                let at = self.watched.now - ms(delivered);
                Some(Input::Signal { signal, at, from_terminal })
            }
            Order::Frozen { span, .. } => {
                self.watched.now = self.watched.now + ms(span);
                Some(Input::Frozen { span: ms(span) })
            }
            Order::Shutdown { .. } => Some(shutdown()),
            Order::Stop { service, .. } => meant(service).map(|(id, before)| Input::StopService { id, before }),
            Order::Restart { service, .. } => meant(service).map(|(id, before)| Input::RestartService { id, before }),
            Order::HandOver { successor, .. } => {
                self.successor = Some(successor);
                Some(Input::HandOver(HandOverInput::Requested))
            }
        };
        event.map_or(Ok(()), |event| self.send(event))
    }

    fn add(&mut self, spec: ServiceSpec, script: &'a ServiceScript) -> Result<(), String> {
        // Which id is free depends on the sessions that are left.
        self.watched.try_handle(Input::SessionsCounted(self.count()))?;
        let ServiceId(id) = self.watched.state.number_for(&spec);
        if id == self.scripts.len() {
            self.scripts.push(script);
            self.live.push(None);
        } else {
            self.scripts[id] = script;
            self.live[id] = None;
        }
        self.send(added(spec))
    }

    /// The group of this grace. The machine learns of it with its first session.
    fn group(&mut self, home: Owner, grace: u64) -> Result<Owner, String> {
        let known = self.groups.iter().position(|&known| known == (home, grace, true));
        if let Some(group) = known {
            return Ok(Owner::Group(group));
        }
        self.groups.push((home, grace, true));
        self.send(Input::GroupAdded { home, grace: ms(grace), cancels: false })?;
        Ok(Owner::Group(self.groups.len() - 1))
    }

    /// Gives an input to the machine as the control plane does: sessions are counted first.
    fn send(&mut self, event: Input) -> Result<(), String> {
        let counted = self.count();
        let mut actions = self.watched.try_handle(Input::SessionsCounted(counted))?;
        actions.extend(self.watched.try_handle(event)?);
        for action in actions {
            self.react(action);
        }
        Ok(())
    }

    fn count(&self) -> Vec<(Owner, u64)> {
        let services = self.watched.state.services().len();
        let owners = std::iter::once(Owner::Root).chain((0..services).map(|id| Owner::Service(ServiceId(id))));
        let groups = self.watched.oracle.groups().len();
        let owners = owners.chain((0..groups).map(Owner::Group));
        let alive = |owner| {
            let counts = |session: &&Session| session.alive && !session.uncounted && session.owner == owner;
            self.sessions.iter().filter(counts).count() as u64
        };
        owners.map(|owner| (owner, alive(owner))).collect()
    }
}
