//! When the process must end, and with what code. Pure: the guard's thread gives it the time.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::clock::later;
use super::signals::Delivery;
use crate::machine::{Allowance, Exit, Report, Signal};

/// What the exit itself may take beyond the grace.
const EXIT_LIMIT: Duration = Duration::from_millis(250);
/// How long a second signal may wait for the control plane.
const ANSWER_LIMIT: Duration = Duration::from_millis(200);
/// Two signals closer than this are one.
const DUPLICATE_WITHIN: Duration = Duration::from_millis(100);
/// How often an armed guard looks whether it was frozen meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the guard knows.
#[derive(Debug)]
pub(super) struct ExitWatch {
    pub(super) allowance: Allowance,
    /// Where signals go, until the last line was emitted.
    pub(super) listener: Option<mpsc::UnboundedSender<Delivery>>,
    stop_requested: Option<Instant>,
    pub(super) deadline: Option<Instant>,
    /// How much more time may be given back for spans in which the process did not run.
    may_give_back: Duration,
    /// The gravest code that is known.
    pub(super) exit: Exit,
    first_signal: Option<Instant>,
    /// A second signal that the control plane has not read, and until when it may.
    pub(super) unanswered: Option<(Signal, Instant)>,
    /// The report, from when it is complete until it is written.
    pub(super) report: Option<Report>,
}

/// The process ends now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) exit: Exit,
    pub(super) why: &'static str,
}

impl ExitWatch {
    pub(super) const fn new() -> Self {
        Self {
            allowance: Allowance { grace: Duration::ZERO, drain_delay: Duration::ZERO },
            listener: None,
            stop_requested: None,
            deadline: None,
            may_give_back: Duration::ZERO,
            exit: Exit::Clean,
            first_signal: None,
            unanswered: None,
            report: None,
        }
    }

    pub(super) fn of(allowance: Allowance, listener: mpsc::UnboundedSender<Delivery>) -> Self {
        Self { allowance, listener: Some(listener), ..Self::new() }
    }

    pub(super) fn arm(&mut self, requested: Instant) {
        if self.stop_requested.is_none() {
            self.stop_requested = Some(requested);
            self.may_give_back = self.allowance.grace;
            let deadline = later(later(requested, self.allowance.grace), EXIT_LIMIT);
            self.deadline = Some(self.deadline.map_or(deadline, |before| before.min(deadline)));
        }
    }

    /// How long to wait if no signal is delivered.
    pub(super) fn wakes_after(&self, now: Instant) -> Option<Duration> {
        let answer_by = self.unanswered.map(|(_, by)| by);
        let next = self.deadline.into_iter().chain(answer_by).min()?;
        Some(next.saturating_duration_since(now).min(LOOK_EVERY))
    }

    pub(super) fn look(&mut self, now: Instant, frozen: Option<Duration>, delivered: Vec<Delivery>) -> Option<End> {
        if let Some(frozen) = frozen {
            self.give_back(frozen);
        }
        for delivery in delivered {
            if let Some(end) = self.hear(delivery) {
                return Some(end);
            }
        }
        if let Some((signal, by)) = self.unanswered
            && now >= by
        {
            let why = "a second signal ends the program while the control plane is busy";
            return Some(End { exit: self.exit.max(Exit::Forced(signal)), why });
        }
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            let why = match self.listener {
                Some(_) => "the grace is over and the program could not be stopped in order",
                None => {
                    "the grace is over and something still runs after the last line: code after `App::run`, a destructor \
                         or an `atexit` handler"
                }
            };
            return Some(End { exit: self.exit.max(Exit::Abandoned), why });
        }
        None
    }

    fn hear(&mut self, delivery: Delivery) -> Option<End> {
        let Delivery { signal, at, .. } = delivery;
        let first = *self.first_signal.get_or_insert(at);
        let is_first = first == at;
        let is_duplicate = !is_first && at.saturating_duration_since(first) <= DUPLICATE_WITHIN;
        match &self.listener {
            Some(listener) => {
                let _ = listener.send(delivery);
                let delays =
                    self.stop_requested.is_some_and(|requested| at < later(requested, self.allowance.drain_delay));
                self.arm(at);
                if !is_first && !is_duplicate && !delays {
                    self.unanswered.get_or_insert((signal, later(at, ANSWER_LIMIT)));
                }
                None
            }
            None if is_duplicate => None,
            None => Some(End {
                exit: self.exit.max(Exit::Forced(signal)),
                why: "a signal ends the program after its last line",
            }),
        }
    }

    fn give_back(&mut self, span: Duration) {
        let span = span.min(self.may_give_back);
        self.may_give_back -= span;
        self.deadline = self.deadline.map(|deadline| later(deadline, span));
        self.unanswered = self.unanswered.map(|(signal, by)| (signal, later(by, span)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(1);

    struct Program {
        began: Instant,
        watch: ExitWatch,
        heard: mpsc::UnboundedReceiver<Delivery>,
    }

    impl Program {
        fn new(drain_delay: Duration) -> Self {
            let (listener, heard) = mpsc::unbounded_channel();
            let allowance = Allowance { grace: GRACE, drain_delay };
            Self { began: Instant::now(), watch: ExitWatch::of(allowance, listener), heard }
        }

        fn at(&self, ms: u64) -> Instant {
            self.began + Duration::from_millis(ms)
        }

        fn look(&mut self, ms: u64) -> Option<Exit> {
            self.watch.look(self.at(ms), None, Vec::new()).map(|end| end.exit)
        }

        fn signal(&mut self, ms: u64, signal: Signal) -> Option<Exit> {
            let at = self.at(ms);
            let delivery = Delivery { signal, at, from_terminal: false };
            self.watch.look(at, None, vec![delivery]).map(|end| end.exit)
        }
    }

    #[test]
    fn a_program_that_is_not_stopping_is_left_alone() {
        let mut program = Program::new(Duration::ZERO);
        assert_eq!(program.watch.wakes_after(program.began), None);
        assert_eq!(program.look(1_000_000), None);
    }

    #[test]
    fn a_signal_starts_the_grace_without_the_control_plane() {
        let mut program = Program::new(Duration::ZERO);
        assert_eq!(program.signal(10, Signal::Terminate), None);
        assert_eq!(program.heard.try_recv().unwrap().signal, Signal::Terminate);
        assert_eq!(program.look(1_259), None);
        assert_eq!(program.look(1_260), Some(Exit::Abandoned));
    }

    #[test]
    fn the_graver_code_wins_at_the_deadline() {
        let mut program = Program::new(Duration::ZERO);
        program.watch.arm(program.began);
        program.watch.exit = Exit::Forced(Signal::Interrupt);
        assert_eq!(program.look(1_250), Some(Exit::Forced(Signal::Interrupt)));
    }

    #[test]
    fn a_second_signal_acts_though_the_control_plane_reads_nothing() {
        let mut program = Program::new(Duration::ZERO);
        assert_eq!(program.signal(0, Signal::Terminate), None);
        assert_eq!(program.signal(90, Signal::Terminate), None);
        assert_eq!(program.signal(150, Signal::Interrupt), None);
        assert_eq!(program.look(349), None);
        assert_eq!(program.look(350), Some(Exit::Forced(Signal::Interrupt)));
    }

    #[test]
    fn a_second_signal_that_is_read_is_the_control_planes() {
        let mut program = Program::new(Duration::ZERO);
        program.signal(0, Signal::Terminate);
        program.signal(150, Signal::Terminate);
        program.watch.unanswered = None;
        assert_eq!(program.look(900), None);
    }

    #[test]
    fn a_second_signal_in_the_drain_delay_forces_nothing() {
        let mut program = Program::new(Duration::from_millis(500));
        program.signal(0, Signal::Terminate);
        program.signal(300, Signal::Terminate);
        assert_eq!(program.look(900), None);
        assert_eq!(program.look(1_250), Some(Exit::Abandoned));
    }

    #[test]
    fn a_signal_after_the_last_line_ends_the_process() {
        let mut program = Program::new(Duration::ZERO);
        program.signal(0, Signal::Terminate);
        program.watch.listener = None;
        assert_eq!(program.signal(50, Signal::Terminate), None);
        assert_eq!(program.signal(200, Signal::Interrupt), Some(Exit::Forced(Signal::Interrupt)));
    }

    #[test]
    fn frozen_time_is_given_back_up_to_the_grace() {
        let mut program = Program::new(Duration::ZERO);
        program.watch.arm(program.began);
        let hour = Duration::from_secs(3_600);
        assert_eq!(
            program.watch.look(program.at(3_600_000), Some(Duration::from_millis(700)), Vec::new()),
            Some(End { exit: Exit::Abandoned, why: "the grace is over and the program could not be stopped in order" })
        );
        let mut program = Program::new(Duration::ZERO);
        program.watch.arm(program.began);
        program.watch.give_back(hour);
        assert_eq!(program.look(2_249), None);
        assert_eq!(program.look(2_250), Some(Exit::Abandoned));
    }

    #[test]
    fn a_grace_without_end_overflows_nothing() {
        let mut program = Program::new(Duration::ZERO);
        program.watch.allowance.grace = Duration::MAX;
        program.watch.arm(program.began);
        program.watch.give_back(Duration::MAX);
        assert_eq!(program.look(1_000_000_000), None);
    }
}
