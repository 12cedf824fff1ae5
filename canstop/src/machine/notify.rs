//! What is sent to a process manager, and when: the protocol of sd_notify(3).

use std::fmt::{Display, Write as _};
use std::time::Duration;

use super::event::Event;
use super::time::Time;

/// The manager is asked for this much more time than there is left: the exit takes a moment, too.
const MARGIN: Duration = Duration::from_secs(1);
/// While the program starts it asks for more time this often.
const EXTEND_EVERY: Duration = Duration::from_secs(1);
/// A watchdog may be fed this much early: a tick that comes a moment before its time would leave it to the next one.
const EARLY: Duration = Duration::from_millis(50);
/// As much as fits in one line of `systemctl status`.
const STATUS_LENGTH: usize = 240;

/// How far the program has come, as far as a process manager is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Nothing,
    Ready,
    Stopping,
}

/// What was sent so far, and so what is to be sent next.
#[derive(Clone, Debug)]
pub(crate) struct NotifyPlan {
    sent: Stage,
    extended: Option<Time>,
    watchdog: Option<Watchdog>,
}

/// A manager that ends a program which it does not hear from.
#[derive(Clone, Copy, Debug)]
struct Watchdog {
    /// `WATCHDOG_USEC`: within this time it must hear from the program.
    limit: Duration,
    fed: Option<Time>,
    withheld: bool,
}

/// Whether the watchdog is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Feed {
    No,
    /// It is to be fed now.
    Now,
    /// From now on it is not fed: say why, as long as there is time for it.
    Withheld,
    /// It is fed again.
    Again,
}

impl NotifyPlan {
    pub(crate) fn new(watchdog: Option<Duration>) -> Self {
        let watchdog = watchdog.map(|limit| Watchdog { limit, fed: None, withheld: false });
        Self { sent: Stage::Nothing, extended: None, watchdog }
    }

    /// How often the data plane must turn for the watchdog to be fed in time.
    pub(crate) fn beat_every(&self) -> Option<Duration> {
        self.watchdog.map(|watchdog| watchdog.limit / 6)
    }

    /// The message that an event is worth.
    pub(crate) fn event(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::StopRequested { grace, .. } => {
                self.sent = Stage::Stopping;
                Some(format!("STOPPING=1\n{}\n{}", extend(*grace), status(event)))
            }
            Event::Waiting { remaining, .. } => Some(format!("{}\n{}", extend(*remaining), status(event))),
            Event::Stopped { .. } => Some(status(event)),
            _ => None,
        }
    }

    /// The message that the state is worth, whenever time has passed or a service has become ready.
    /// `start_ends` is when the services that are starting must be ready.
    pub(crate) fn start(
        &mut self,
        now: Time,
        started: bool,
        services: usize,
        start_ends: Option<Time>,
    ) -> Option<String> {
        if self.sent != Stage::Nothing {
            return None;
        }
        if started {
            self.sent = Stage::Ready;
            let plural = if services == 1 { "" } else { "s" };
            return Some(format!("READY=1\n{}", status(&format_args!("ready: {services} service{plural}"))));
        }
        let ends = start_ends?;
        if self.extended.is_some_and(|extended| now.since(extended) < EXTEND_EVERY) {
            return None;
        }
        self.extended = Some(now);
        Some(extend(ends.since(now)))
    }

    /// Whether the watchdog is to be fed; `age` is that of the data plane's heartbeat. The control
    /// plane itself being alive does not feed it.
    pub(crate) fn feed(&mut self, now: Time, age: Duration) -> Feed {
        let Some(watchdog) = &mut self.watchdog else { return Feed::No };
        if age >= watchdog.limit / 2 {
            let was_withheld = std::mem::replace(&mut watchdog.withheld, true);
            return if was_withheld { Feed::No } else { Feed::Withheld };
        }
        if std::mem::replace(&mut watchdog.withheld, false) {
            watchdog.fed = Some(now);
            return Feed::Again;
        }
        let every = watchdog.limit / 3;
        let due = watchdog.fed.is_none_or(|fed| now.since(fed) >= every - EARLY.min(every / 4));
        if due {
            watchdog.fed = Some(now);
            return Feed::Now;
        }
        Feed::No
    }
}

fn extend(remaining: Duration) -> String {
    format!("EXTEND_TIMEOUT_USEC={}", remaining.saturating_add(MARGIN).as_micros())
}

/// The last message of a process that has handed over: from now on the manager takes those of the new one.
#[cfg_attr(not(all(unix, feature = "handover")), allow(dead_code, reason = "only that feature hands over"))]
pub(crate) fn handed_over(pid: u32) -> String {
    format!("MAINPID={pid}\nREADY=1\n{}", status(&format_args!("handed over to process {pid}")))
}

/// A status in one line, whatever is in it.
pub(crate) fn status(what: &dyn Display) -> String {
    let mut text = String::from("STATUS=");
    let _ = write!(text, "{what}");
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(STATUS_LENGTH).collect();
    if text.chars().nth(STATUS_LENGTH).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::cause::{Cause, Signal};
    use crate::machine::exit::Exit;
    use crate::machine::source::SettingSource;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn at(milliseconds: u64) -> Time {
        Time::after_start(ms(milliseconds))
    }

    #[test]
    fn ready_is_sent_once_and_with_a_status() {
        let mut plan = NotifyPlan::new(None);
        assert_eq!(plan.start(at(0), false, 1, None), None, "nothing is starting yet");
        assert_eq!(plan.start(at(5), true, 1, None).as_deref(), Some("READY=1\nSTATUS=ready: 1 service"));
        assert_eq!(plan.start(at(6), true, 2, None), None);
    }

    #[test]
    fn a_start_asks_for_the_rest_of_the_start_timeout_once_a_second() {
        let mut plan = NotifyPlan::new(None);
        let ends = Some(at(30_000));
        let asked: Vec<_> = (0..30).filter_map(|tick| plan.start(at(tick * 100), false, 1, ends)).collect();
        assert_eq!(
            asked,
            ["EXTEND_TIMEOUT_USEC=31000000", "EXTEND_TIMEOUT_USEC=30000000", "EXTEND_TIMEOUT_USEC=29000000"]
        );
    }

    #[test]
    fn a_stop_asks_for_its_grace_and_every_waiting_line_for_the_rest() {
        let mut plan = NotifyPlan::new(None);
        let requested = Event::StopRequested {
            cause: Cause::Signal(Signal::Terminate),
            grace: ms(3_000),
            grace_source: SettingSource::Code,
            drain_delay: Duration::ZERO,
            drain_delay_source: SettingSource::Default,
        };
        let message = plan.event(&requested).unwrap();
        assert_eq!(message, "STOPPING=1\nEXTEND_TIMEOUT_USEC=4000000\nSTATUS=stopping (SIGTERM), within 3 s (code)");
        assert_eq!(plan.start(at(0), true, 1, None), None, "a program that stops is not ready any more");
        let waiting = Event::Waiting {
            remaining: ms(1_500),
            services: vec!["a".to_owned()],
            sessions: 2,
            main: false,
            slowest: None,
        };
        let message = plan.event(&waiting).unwrap();
        assert!(
            message.starts_with("EXTEND_TIMEOUT_USEC=2500000\nSTATUS=waiting for service `a`, 2 sessions"),
            "{message}"
        );
        let stopped = Event::Stopped {
            cause: Cause::Finished,
            duration: ms(7),
            drained: 1,
            cancelled: 0,
            abandoned: 0,
            exit: Exit::Clean,
        };
        assert!(plan.event(&stopped).unwrap().starts_with("STATUS=stopped (finished)"));
        assert_eq!(plan.event(&Event::ServiceReady { service: "a".to_owned() }), None);
    }

    #[test]
    fn the_watchdog_is_fed_every_third_while_the_data_plane_turns() {
        let mut plan = NotifyPlan::new(Some(ms(900)));
        assert_eq!(plan.beat_every(), Some(ms(150)));
        let fed: Vec<_> = (0..1_000).step_by(100).filter(|&now| plan.feed(at(now), ms(100)) == Feed::Now).collect();
        assert_eq!(fed, [0, 300, 600, 900]);
    }

    #[test]
    fn a_tick_a_moment_early_does_not_leave_the_watchdog_to_the_next_one() {
        let mut plan = NotifyPlan::new(Some(ms(900)));
        let ticks = [1, 150, 300, 449, 599, 750, 898];
        assert_eq!(
            ticks.map(|now| plan.feed(at(now), ms(10)) == Feed::Now),
            [true, false, true, false, true, false, true]
        );
    }

    #[test]
    fn the_watchdog_is_withheld_once_the_heartbeat_is_half_its_limit_old() {
        let mut plan = NotifyPlan::new(Some(ms(1_000)));
        assert_eq!(plan.feed(at(0), ms(499)), Feed::Now);
        assert_eq!(plan.feed(at(500), ms(500)), Feed::Withheld);
        assert_eq!(plan.feed(at(1_000), ms(1_000)), Feed::No, "it is said once");
        assert_eq!(plan.feed(at(1_100), ms(10)), Feed::Again);
        assert_eq!(plan.feed(at(1_200), ms(10)), Feed::No);
        assert_eq!(plan.feed(at(1_500), ms(10)), Feed::Now);
        assert_eq!(NotifyPlan::new(None).feed(at(0), ms(9_999)), Feed::No);
    }

    #[test]
    fn the_last_message_names_the_new_process() {
        assert_eq!(handed_over(7), "MAINPID=7\nREADY=1\nSTATUS=handed over to process 7");
    }

    #[test]
    fn a_status_is_one_line_of_bounded_length() {
        assert_eq!(status(&"a\nREADY=1\tb"), "STATUS=a READY=1 b");
        let long = status(&"ä".repeat(1_000));
        assert_eq!(long.chars().count(), STATUS_LENGTH + 1);
        assert!(long.ends_with('…'));
    }
}
