//! Whether listeners accept the connections that wait for them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lateness::Looks;
use super::time::Time;

/// A listener's queue of connections that the kernel has completed, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AcceptQueue {
    /// The listener. No two have the same number.
    pub(crate) listener: u64,
    /// How many connections wait.
    pub(crate) waiting: u64,
    /// How many were accepted so far.
    pub(crate) accepted: u64,
}

/// Since when each listener has had a queue of which it accepted nothing.
///
/// A queue that is empty at one look, or a connection that is accepted, ends the stall of a listener: a program that
/// accepts too slowly is overloaded and not stalled. As in [`Heartbeat`](super::Heartbeat), the control plane's own
/// lateness is forgiven.
#[derive(Clone, Debug)]
pub(crate) struct AcceptStalls {
    listeners: BTreeMap<u64, Stall>,
    looks: Looks,
}

#[derive(Clone, Copy, Debug)]
struct Stall {
    accepted: u64,
    since: Time,
    reported: bool,
}

impl AcceptStalls {
    pub(crate) fn new(now: Time) -> Self {
        Self { listeners: BTreeMap::new(), looks: Looks::since(now) }
    }

    /// Notes the queues, which the control plane reads every `tick`. A listener that is missing is closed, or is
    /// allowed to let its clients wait.
    pub(crate) fn look(&mut self, now: Time, tick: Duration, queues: impl IntoIterator<Item = AcceptQueue>) {
        let late = self.looks.lateness(now, tick);
        let mut before = std::mem::take(&mut self.listeners);
        for queue in queues.into_iter().filter(|queue| queue.waiting > 0) {
            let stall = before.remove(&queue.listener).filter(|stall| stall.accepted == queue.accepted);
            let mut stall = stall.unwrap_or(Stall { accepted: queue.accepted, since: now, reported: false });
            if let Some(late) = late {
                stall.since = (stall.since + late).min(now);
            }
            self.listeners.insert(queue.listener, stall);
        }
    }

    /// Returns true if any listener has a queue.
    pub(crate) fn is_any(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// How long the longest stall is.
    pub(crate) fn age(&self, now: Time) -> Duration {
        self.listeners.values().map(|stall| now.since(stall.since)).max().unwrap_or_default()
    }

    /// The listeners that have been stalled for longer than `limit`, and for how long: each once in a stall.
    pub(crate) fn newly_over(&mut self, now: Time, limit: Duration) -> Vec<(u64, Duration)> {
        let over = |(&listener, stall): (&u64, &mut Stall)| {
            let age = now.since(stall.since);
            (age > limit && !std::mem::replace(&mut stall.reported, true)).then_some((listener, age))
        };
        self.listeners.iter_mut().filter_map(over).collect()
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

    fn queue(waiting: u64, accepted: u64) -> AcceptQueue {
        AcceptQueue { listener: 7, waiting, accepted }
    }

    /// Sees the same queue at every tick of a span.
    fn look_through(stalls: &mut AcceptStalls, milliseconds: std::ops::Range<u64>, queue: AcceptQueue) {
        milliseconds.step_by(100).for_each(|now| stalls.look(at(now), TICK, [queue]));
    }

    #[test]
    fn a_queue_of_which_nothing_is_accepted_ages() {
        let mut stalls = AcceptStalls::new(at(0));
        look_through(&mut stalls, 0..500, queue(0, 3));
        assert_eq!(stalls.age(at(500)), Duration::ZERO);
        assert!(!stalls.is_any());
        look_through(&mut stalls, 500..2_500, queue(2, 3));
        assert_eq!(stalls.age(at(2_500)), Duration::from_secs(2));
        assert!(stalls.is_any());
        assert_eq!(stalls.newly_over(at(2_500), 2 * SECOND), [], "no longer than that");
        assert_eq!(stalls.newly_over(at(2_500), SECOND), [(7, 2 * SECOND)]);
        assert_eq!(stalls.newly_over(at(2_500), SECOND), [], "it is reported once");
    }

    #[test]
    fn an_overloaded_listener_is_not_stalled() {
        let mut stalls = AcceptStalls::new(at(0));
        // It accepts one connection each second, and its queue is full all the time.
        for second in 0..60 {
            look_through(&mut stalls, second * 1_000..(second + 1) * 1_000, queue(1_024, second));
            assert!(stalls.age(at((second + 1) * 1_000)) <= SECOND);
        }
    }

    #[test]
    fn an_empty_queue_or_a_closed_listener_ends_a_stall() {
        let mut stalls = AcceptStalls::new(at(0));
        look_through(&mut stalls, 0..2_000, queue(1, 0));
        stalls.look(at(2_000), TICK, [queue(0, 0)]);
        assert_eq!(stalls.age(at(2_000)), Duration::ZERO);
        look_through(&mut stalls, 2_100..4_000, queue(1, 0));
        assert_eq!(stalls.newly_over(at(4_000), SECOND).len(), 1);
        stalls.look(at(4_000), TICK, []);
        assert_eq!(stalls.age(at(4_000)), Duration::ZERO);
        look_through(&mut stalls, 4_100..6_000, queue(1, 0));
        assert_eq!(stalls.newly_over(at(6_000), SECOND).len(), 1, "the next stall is reported again");
    }

    #[test]
    fn the_span_in_which_the_control_plane_did_not_look_is_forgiven() {
        let mut stalls = AcceptStalls::new(at(0));
        look_through(&mut stalls, 0..1_000, queue(1, 0));
        stalls.look(at(61_000), TICK, [queue(1, 0)]);
        assert!(stalls.age(at(61_000)) <= Duration::from_millis(1_200), "{:?}", stalls.age(at(61_000)));
    }
}
