//! Judges what is signalled to stop, and what is abandoned.

use std::time::Duration;

use super::seen::{Group, Sessions};
use super::sessions::TAIL;
use super::{Broken, Oracle, law};
use crate::machine::action::Abandoned;
use crate::machine::exit::Exit;
use crate::machine::id::{Owner, RunId, ServiceId};
use crate::machine::stage::{Request, ServiceOutcome};
use crate::machine::time::Time;

/// The error that rounding may cause.
const ROUNDING: Duration = Duration::from_micros(1);

impl Oracle {
    pub(super) fn judge_signalled(&mut self, ServiceId(id): ServiceId, run: RunId, until: Time) -> Result<(), Broken> {
        let seen = &self.services[id];
        law!(run == seen.run, "service {id} is signalled as {run:?}");
        law!(self.stop.is_some() || self.requests()[id].is_some(), "service {id} is signalled without a request");
        law!(self.watching, "service {id} is signalled while its sessions are not watched");
        if let Some(stop) = &self.stop {
            law!(until <= stop.deadline + TAIL, "service {id} has time beyond the deadline");
        }
        if let Some(before) = seen.stop_by {
            // A service that stops alone keeps its time, or gets less when the whole program stops.
            let less = self.stop.is_some() && until < before;
            let given_back = self.call.gave_back && until == before;
            law!(less || given_back, "service {id} is signalled again without less time");
        } else {
            self.judge_order(id)?;
            self.judge_reserve(id, until)?;
            law!(
                until >= self.with_first_poll(Time::default()),
                "service {id} is signalled when its time is already up"
            );
        }
        self.services[id].stop_by = Some(until);
        self.pass_on(Owner::Service(ServiceId(id)), until);
        Ok(())
    }

    /// The services that need it stop first, with their sessions. When the whole program stops, `main` and the root's
    /// sessions, which may use any service without naming it, stop before the first dependency.
    fn judge_order(&self, id: usize) -> Result<(), Broken> {
        if !self.services[id].live && self.sessions(Owner::Service(ServiceId(id))).are_drained() {
            // Only its state is left, which no other service uses.
            return Ok(());
        }
        let requests = self.requests();
        for other in self.stops_after(id) {
            let goes_on = !self.is_ending() && requests[other].is_none();
            law!(
                goes_on || self.is_drained(other),
                "service {id} is signalled while something is left of service {other}"
            );
            law!(
                !goes_on || !self.to_stop()[id] || !self.cannot_be_without(other, id),
                "service {id} is signalled while service {other} goes on"
            );
        }
        if self.stop.is_none() {
            return Ok(());
        }
        if !self.is_ending() {
            law!(requests[id].is_some(), "service {id} is signalled before the root");
            return Ok(());
        }
        // Sessions that are spawned after their service's step are signalled at once. A service that waited for
        // others in its own step does not wait for sessions that the root has got since.
        let level = self.stop_level(id);
        let is_first = !self.stops_after(id).any(|other| self.stop_level(other) == level);
        if self.services[id].live && level > 0 && is_first {
            law!(self.root_is_drained(), "service {id} is signalled while main or the root's sessions may need it");
        }
        Ok(())
    }

    fn judge_reserve(&self, id: usize, until: Time) -> Result<(), Broken> {
        let reserved = self.stop.as_ref().and_then(|stop| stop.reserved.get(id).copied());
        if let Some(reserved) = reserved.filter(|_| self.services[id].live && !self.woken_late) {
            let has = until.since(self.call.now);
            law!(has + ROUNDING + TAIL >= reserved, "service {id} should have {reserved:?} to stop, but has {has:?}");
        }
        Ok(())
    }

    pub(super) fn judge_root_signalled(&mut self, until: Time) -> Result<(), Broken> {
        let now = self.call.now;
        self.divide_anew();
        let given_back = self.call.gave_back && self.root_stop_by == Some(until);
        let Some(stop) = &self.stop else {
            return Err(Broken("the root is signalled without a stop request".to_owned()));
        };
        law!(until <= stop.deadline + TAIL, "the root has time beyond the deadline");
        if self.root_may_resume() {
            self.root_stop_by = Some(until);
            for group in self.groups.iter_mut().filter(|group| group.home == Owner::Root) {
                group.stop_by = None;
            }
            self.pass_on(Owner::Root, until);
            return Ok(());
        }
        law!(self.root_stop_by.is_none() || given_back, "the root is signalled twice");
        if given_back {
            return Ok(());
        }
        law!(until >= self.with_first_poll(Time::default()), "the root is signalled when its time is already up");
        law!(until + ROUNDING >= stop.front_ends, "the root has less time than is left unreserved: {until:?}");
        let nothing_left = self.all_is_drained() && !self.any_waits();
        law!(now >= stop.drain_ends || nothing_left, "the drain delay is cut short");
        self.root_stop_by = Some(until);
        self.note_no_restarts();
        self.pass_on(Owner::Root, until);
        Ok(())
    }

    /// Returns true where `run()` is about to return in `main`, or flush hooks are about to run: what they spawn has
    /// time again.
    fn root_may_resume(&self) -> bool {
        let main_is_over = self.main.ended || self.main.abandoned;
        let goes_on = if self.main.in_run && !main_is_over { !self.main.returned } else { self.hooks > 0 };
        goes_on && !self.flushing && self.root_stop_by.is_some() && self.all_is_drained() && !self.any_waits()
    }

    pub(super) fn judge_root_renewed(&mut self) -> Result<(), Broken> {
        law!(self.root_may_resume(), "the root is renewed, and nothing of it goes on");
        let is_of_root = |group: &&mut Group| group.home == Owner::Root;
        let groups = self.groups.iter_mut().filter(is_of_root).map(|group| &mut group.sessions);
        let mut abandoned = false;
        for sessions in groups.chain([&mut self.root]) {
            abandoned |= sessions.abandoned;
            *sessions = Sessions::default();
        }
        law!(abandoned, "the root is renewed, and none of its sessions were abandoned");
        Ok(())
    }

    pub(super) fn judge_abandoned(&mut self, abandoned: &Abandoned) -> Result<(), Broken> {
        law!(!abandoned.is_empty(), "an abandonment of nothing");
        self.exit = self.exit.max(Exit::Abandoned);
        if abandoned.main {
            self.judge_main_abandoned()?;
        }
        for &(ServiceId(id), run) in &abandoned.services {
            let seen = &self.services[id];
            law!((seen.live || seen.dropping) && seen.run == run, "service {id} is abandoned, but has ended");
            self.judge_time_was_up(&format!("service {id}"), seen.stop_by)?;
            if self.services[id].dropping {
                self.services[id].dropping = false;
                self.services[id].outcome = Some(ServiceOutcome::Abandoned);
                continue;
            }
            match self.requests()[id] {
                Some(Request::Restart { not_before }) if !self.is_ending() => {
                    self.services[id].live = false;
                    self.services[id].restart_at = Some(not_before.max(self.call.now));
                }
                _ => self.services[id].account(ServiceOutcome::Abandoned),
            }
        }
        for &(owner, count) in &abandoned.sessions {
            let sessions = self.sessions(owner);
            let there = !sessions.abandoned && sessions.alive == count && count > 0;
            law!(there, "{count} sessions of {owner:?} are abandoned that do not exist");
            // A group has no more time than its home.
            let home = match owner {
                Owner::Group(group) => self.stop_by(self.groups[group].home),
                _ => None,
            };
            let until = self.stop_by(owner).into_iter().chain(home).min();
            self.judge_time_was_up(&format!("sessions of {owner:?}"), until)?;
            self.sessions_mut(owner).abandoned = true;
        }
        Ok(())
    }

    fn judge_time_was_up(&self, what: &str, stop_by: Option<Time>) -> Result<(), Broken> {
        let Some(until) = stop_by else {
            return Err(Broken(format!("{what} abandoned without a signal to stop")));
        };
        let left = until.since(self.call.now);
        law!(left.is_zero(), "{what} abandoned {left:?} too early");
        Ok(())
    }

    fn judge_main_abandoned(&mut self) -> Result<(), Broken> {
        law!(!self.main.ended && !self.main.abandoned, "main is abandoned, but has ended");
        if self.main.in_run {
            law!(self.main.returned, "main is abandoned in run(), which has not returned");
            let until = self.stop.as_ref().and_then(|stop| stop.teardown_until);
            self.judge_time_was_up("main's teardown", until)?;
        } else {
            self.judge_time_was_up("main", self.root_stop_by)?;
        }
        self.main.abandoned = true;
        Ok(())
    }
}
