//! Workers of the data plane that are held by code which canstop does not know: by tokio's numbers, which say when a
//! worker was idle and how long it was busy, less what is known of sessions and services.

use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::machine::{Event, HeldWorkers, Time};
use crate::session::{TICK, occupied_workers};

/// At a stop, workers that are held for less are not worth a line.
const LEAST: Duration = TICK.saturating_mul(3);

/// What was seen of the workers.
#[derive(Debug)]
pub(super) struct Workers {
    held: HeldWorkers,
    looked: Time,
    numbers: Vec<Numbers>,
}

/// They are renewed when a worker becomes idle or wakes up, and every 61 polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbers {
    parks_and_unparks: u64,
    busy: Duration,
}

fn numbers(data_plane: &Handle) -> impl Iterator<Item = Numbers> {
    let metrics = data_plane.metrics();
    (0..metrics.num_workers()).map(move |worker| Numbers {
        parks_and_unparks: metrics.worker_park_unpark_count(worker),
        busy: metrics.worker_total_busy_duration(worker),
    })
}

/// Returns true if every worker is idle at this moment.
pub(super) fn are_all_parked(data_plane: &Handle) -> bool {
    numbers(data_plane).all(Numbers::is_parked)
}

impl Numbers {
    /// A worker begins unparked.
    fn is_parked(self) -> bool {
        self.parks_and_unparks % 2 == 1
    }
}

impl Workers {
    pub(super) fn new(reported_after: Option<Duration>) -> Self {
        Self { held: HeldWorkers::new(reported_after), looked: Time::default(), numbers: Vec::new() }
    }

    /// Looks at every worker, and returns what there is to report.
    pub(super) fn look(&mut self, now: Time, data_plane: &Handle) -> Option<Event> {
        let numbers: Vec<_> = numbers(data_plane).collect();
        let goes_on = |(numbers, before): &(&Numbers, &Numbers)| numbers == before && !numbers.is_parked();
        let busy = numbers.iter().zip(&self.numbers).filter(goes_on).count();
        self.numbers = numbers;
        let occupied = occupied_workers(data_plane.runtime_flavor() == RuntimeFlavor::CurrentThread);
        let before = std::mem::replace(&mut self.looked, now);
        self.held.look(before, now, busy.saturating_sub(occupied))
    }

    /// What there is to say when something is abandoned.
    pub(super) fn at_stop(&self, now: Time) -> Option<Event> {
        self.held.held_for(now, LEAST)
    }
}
