//! Whether the data plane turns: whether its workers still take up new work.

use std::time::Duration;

use super::lateness::Looks;
use super::time::Time;

/// What is known of the data plane's turning.
///
/// The control plane gives the data plane a task that does nothing, now and then, and notes when it ran.
/// Such a task gets its turn among the others, so a busy data plane still answers; only one whose every
/// worker is held does not.
///
/// The control plane's own lateness is forgiven: a host that starves the whole process, SIGSTOP or a
/// suspended machine say nothing about the data plane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heartbeat {
    every: Duration,
    /// When the data plane last turned for certain.
    turned: Time,
    /// When the last beat was asked for.
    asked: Option<Time>,
    looks: Looks,
}

impl Heartbeat {
    /// A beat every so often, and at most this late.
    pub(crate) fn new(now: Time, every: Duration) -> Self {
        Self { every, turned: now, asked: None, looks: Looks::since(now) }
    }

    /// Notes that the control plane looks, as it does every `tick`. Returns whether to ask for a beat.
    #[must_use]
    pub(crate) fn look(&mut self, now: Time, tick: Duration) -> bool {
        if let Some(late) = self.looks.lateness(now, tick) {
            self.turned = (self.turned + late).min(now);
        }
        let due = self.asked.is_none_or(|asked| now.since(asked) >= self.every);
        if due {
            self.asked = Some(now);
        }
        due
    }

    /// Notes that the data plane turned at this moment.
    pub(crate) fn turned(&mut self, at: Time) {
        self.turned = self.turned.max(at);
    }

    /// For how long it may not have turned.
    pub(crate) fn age(&self, now: Time) -> Duration {
        now.since(self.turned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(100);
    const SECOND: Duration = Duration::from_secs(1);

    fn at(milliseconds: u64) -> Time {
        Time::after_start(Duration::from_millis(milliseconds))
    }

    /// Looks at every tick of a span; returns when beats were asked for.
    fn look_through(heartbeat: &mut Heartbeat, milliseconds: std::ops::Range<u64>) -> Vec<u64> {
        milliseconds.step_by(100).filter(|&now| heartbeat.look(at(now), TICK)).collect()
    }

    #[test]
    fn a_beat_is_asked_for_once_in_its_interval() {
        let mut heartbeat = Heartbeat::new(at(0), SECOND);
        assert_eq!(look_through(&mut heartbeat, 0..3_500), [0, 1_000, 2_000, 3_000]);
    }

    #[test]
    fn a_data_plane_that_does_not_turn_ages() {
        let mut heartbeat = Heartbeat::new(at(0), SECOND);
        look_through(&mut heartbeat, 0..5_000);
        assert_eq!(heartbeat.age(at(5_000)), Duration::from_secs(5));
        heartbeat.turned(at(4_800));
        assert_eq!(heartbeat.age(at(5_000)), Duration::from_millis(200));
        heartbeat.turned(at(1_000));
        assert_eq!(heartbeat.age(at(5_000)), Duration::from_millis(200), "a late word of an earlier turn");
    }

    #[test]
    fn the_span_in_which_the_control_plane_did_not_look_is_forgiven() {
        let mut heartbeat = Heartbeat::new(at(0), SECOND);
        look_through(&mut heartbeat, 0..2_000);
        heartbeat.turned(at(1_000));
        // Stopped for a minute, and then looking again as always.
        let _ = heartbeat.look(at(62_000), TICK);
        assert!(heartbeat.age(at(62_000)) <= Duration::from_millis(1_100), "{:?}", heartbeat.age(at(62_000)));
        look_through(&mut heartbeat, 62_100..72_100);
        let age = heartbeat.age(at(72_000));
        assert!(age >= Duration::from_secs(10), "what it does not do after that is its own: {age:?}");
    }

    #[test]
    fn a_little_jitter_is_not_forgiven_for_ever() {
        let mut heartbeat = Heartbeat::new(at(0), SECOND);
        // Every look is 50 ms late: a loaded machine, and no excuse for a data plane that never turns.
        let mut now = 0;
        while now < 30_000 {
            now += 150;
            let _ = heartbeat.look(at(now), TICK);
        }
        assert!(heartbeat.age(at(now)) >= Duration::from_secs(30));
    }
}
