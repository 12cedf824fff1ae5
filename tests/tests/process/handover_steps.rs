//! A stop at every step of a hand-over: right before a system call of a thread that takes part in it.
//!
//! Wherever the stop comes, one process serves or none is left, every connection that was accepted or queued is answered,
//! and no request fails while a process serves.

use std::net::SocketAddr;
use std::time::Duration;

use canstop_tests::load::{Connections, Load, Tally};
use canstop_tests::{Finished, Probe, Signal};

const TRACER: &str = env!("CARGO_BIN_EXE_stop_at");
const PROGRAM: &str = env!("CARGO_BIN_EXE_handover");

/// More than there are.
const NEVER: u64 = u64::MAX;
/// How many of the steps are tried, unless `CANSTOP_STEPS=all`.
const SAMPLE: u64 = 8;

/// What serves in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Old,
    New,
    Nothing,
}

/// Which process gets which signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    TerminateOld,
    TerminateNew,
    KillNew,
}

/// A program that hands over under load, and is signalled before a call.
struct Run {
    stop: Stop,
    probe: Probe,
    old: u32,
    new: Option<u32>,
    is_signalled: bool,
    clients: Vec<Load>,
}

/// What is known when every process has ended.
struct Ended {
    left: Left,
    calls: u64,
    tally: Tally,
    finished: Finished,
}

impl Run {
    /// Starts it under load. `None` where the system does not let a process trace another one.
    fn start(stop: Stop, call: u64) -> Option<Self> {
        let [who, signal] = match stop {
            Stop::TerminateOld => ["old", "TERM"],
            Stop::TerminateNew => ["new", "TERM"],
            Stop::KillNew => ["new", "KILL"],
        };
        let arguments = [who, signal, &call.to_string(), PROGRAM, "127.0.0.1:0"];
        let mut probe = Probe::start(TRACER, &arguments).patiently(Duration::from_secs(60));
        let first = probe.wait_for_start("");
        if first.starts_with("cannot trace") {
            println!("not tested: {first}");
            return None;
        }
        let old = first.strip_prefix("started ").and_then(|pid| pid.parse().ok()).expect("the pid of the old process");
        let address: SocketAddr = probe.wait_for_start("listening on ").parse().expect("it listens on TCP");
        probe.wait_for_line(&format!("ready {old}"));
        let clients = [(2, Connections::OneEach), (1, Connections::KeepAlive)];
        let clients = clients.map(|(clients, connections)| Load::start(address, "/", clients, connections));
        Some(Self { stop, probe, old, new: None, is_signalled: false, clients: clients.into() })
    }

    fn wait_for_answers(&self) {
        self.clients.iter().for_each(|load| load.wait_for(5));
    }

    /// Requests the hand-over, and waits until it has an outcome.
    fn hand_over(&mut self) -> Left {
        self.wait_for_answers();
        Signal::HandOver.send_to(self.old);
        loop {
            let line = self.probe.wait_for_start("");
            if let Some(pid) = line.strip_prefix("started ") {
                self.new = pid.parse().ok();
            } else if line.starts_with("signalled ") {
                self.is_signalled = true;
            } else if line == "no process is left" {
                return Left::Nothing;
            } else if line.ends_with(": predecessor_ended") && !self.has_stopped_new() {
                return Left::New;
            } else if line.contains(": hand-over failed") && self.has_stopped_new() {
                return Left::Old;
            }
        }
    }

    fn has_stopped_new(&self) -> bool {
        self.is_signalled && self.stop != Stop::TerminateOld
    }

    /// Lets the hand-over and the stop happen, and ends the process that is left.
    fn play(mut self) -> Ended {
        let left = self.hand_over();
        if left != Left::Nothing {
            self.wait_for_answers();
        }
        let tally = self.clients.into_iter().map(Load::finish).sum();
        let server = match left {
            Left::Old => Some(self.old),
            Left::New => self.new,
            Left::Nothing => None,
        };
        if let Some(server) = server {
            Signal::Terminate.send_to(server);
        }
        let finished = self.probe.finish();
        let calls = finished.stdout.iter().find_map(|line| line.strip_suffix(" calls")?.parse().ok());
        Ended { left, calls: calls.expect("the tracer counts"), tally, finished }
    }
}

impl Ended {
    /// Nothing was reset or left without an answer, and nothing was refused while a process served.
    #[track_caller]
    fn lost_nothing(&self) {
        let Self { left, tally, finished, .. } = self;
        let refused = if *left == Left::Nothing { tally.refused } else { 0 };
        assert_eq!(tally.failed(), refused, "{left:?} is left: {tally}\n{finished}");
    }

    /// The old process ended well, and so did the new one, if it took over. A signal after the last line ends a process
    /// at once.
    #[track_caller]
    fn ended_well(&self) {
        let Self { left, finished, .. } = self;
        if finished.times_logged("a signal ends the program after its last line") == 0 {
            finished.printed("old ended: exit status: 0");
        }
        if *left == Left::New {
            finished.printed("new ended: exit status: 0");
        }
    }
}

/// Stops the hand-over before each of its calls, or before some of them, and judges what came of it.
fn at_every_step(stop: Stop, judge: impl Fn(&Ended)) {
    let play = |call| Run::start(stop, call).map(Run::play);
    let Some(whole) = play(NEVER) else { return };
    assert_eq!(whole.left, Left::New, "{}", whole.finished);
    whole.lost_nothing();
    whole.ended_well();
    let all = std::env::var_os("CANSTOP_STEPS").is_some_and(|steps| steps == "all");
    let steps = if all { whole.calls } else { SAMPLE };
    let mut left = Vec::new();
    for step in 1..=steps {
        let ended = play(step * whole.calls / steps).expect("the first one was traced");
        judge(&ended);
        left.push(ended.left);
    }
    let [old, new, nothing] =
        [Left::Old, Left::New, Left::Nothing].map(|which| left.iter().filter(|left| **left == which).count());
    println!("{stop:?}, {steps} of {} steps: old serves {old}, new serves {new}, stopped {nothing}", whole.calls);
}

#[test]
fn a_stop_of_the_old_process_loses_nothing_at_any_step() {
    at_every_step(Stop::TerminateOld, |ended| {
        ended.lost_nothing();
        ended.ended_well();
        assert_ne!(ended.left, Left::Old, "{}", ended.finished);
    });
}

#[test]
fn a_stop_of_the_new_process_loses_nothing_at_any_step() {
    at_every_step(Stop::TerminateNew, |ended| {
        ended.lost_nothing();
        ended.ended_well();
    });
}

#[test]
fn a_kill_of_the_new_process_harms_no_old_one_at_any_step() {
    at_every_step(Stop::KillNew, |ended| {
        // Once it was ready the old process stops, and the new one has accepted what is lost with it.
        if ended.left == Left::Nothing {
            ended.finished.logged(&["stopping (handed over to process "]);
        } else {
            ended.lost_nothing();
        }
        ended.ended_well();
    });
}
