//! Whether the data plane is quiet. Then the control plane looks at it only now and then, until one of its threads
//! wakes up.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::tagged::{SpawnTick, TICK};

/// The current tick, and who renews it: the control plane at each look, and while the data plane is quiet the thread
/// that wakes up.
#[derive(Debug)]
pub(super) struct Quiet {
    /// The spawn tick of a session that is spawned now. So no clock is read at a spawn.
    now: AtomicUsize,
    /// When ticks began to count.
    began: OnceLock<Instant>,
    is_quiet: AtomicBool,
    ended: Notify,
}

impl Quiet {
    pub(super) fn new() -> Self {
        Self {
            now: AtomicUsize::new(SpawnTick::at(0).to_bits()),
            began: OnceLock::new(),
            is_quiet: AtomicBool::new(false),
            ended: Notify::new(),
        }
    }

    #[inline]
    pub(super) fn now(&self) -> SpawnTick {
        // Relaxed: an age may be a tick off.
        SpawnTick::from_bits(self.now.load(Ordering::Relaxed))
    }

    /// Sets the current tick. The first call says when ticks began to count.
    pub(super) fn set_now(&self, began: Instant, now: Instant) {
        let began = *self.began.get_or_init(|| began);
        let ticks = now.saturating_duration_since(began).as_millis() / TICK.as_millis();
        let tick = SpawnTick::at(u32::try_from(ticks).unwrap_or(u32::MAX));
        self.now.store(tick.to_bits(), Ordering::Relaxed);
    }

    /// The control plane will not look for a while. A thread that wakes up before the next read of the runtime's
    /// numbers is seen in them; a later one finds the flag.
    pub(super) fn begin(&self) {
        self.is_quiet.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(super) fn end(&self) {
        self.is_quiet.store(false, Ordering::Relaxed);
    }

    /// A thread of the data plane wakes up. Sessions that it spawns get the tick of this moment.
    pub(super) fn thread_wakes(&self) {
        // Between the runtime's numbers, which this thread has just renewed, and the flag.
        fence(Ordering::SeqCst);
        if self.is_quiet.load(Ordering::Relaxed) && self.is_quiet.swap(false, Ordering::Relaxed) {
            let now = Instant::now();
            self.set_now(now, now);
            self.ended.notify_one();
        }
    }

    /// Completes when a thread has woken up. Cancel safe.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn has_ended(quiet: &Quiet) -> bool {
        pin!(quiet.ended()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn the_first_thread_that_wakes_up_ends_it() {
        let quiet = Quiet::new();
        quiet.thread_wakes();
        assert!(!has_ended(&quiet), "nothing was quiet");
        quiet.begin();
        assert!(!has_ended(&quiet));
        quiet.thread_wakes();
        quiet.thread_wakes();
        assert!(has_ended(&quiet) && !has_ended(&quiet), "once");
    }

    #[test]
    fn the_thread_that_wakes_up_renews_the_tick() {
        let quiet = Quiet::new();
        let now = Instant::now();
        quiet.set_now(now - TICK * 70, now - TICK * 60);
        let before = quiet.now();
        quiet.thread_wakes();
        assert_eq!(before.age(quiet.now()), Some(0), "while nothing is quiet, the control plane renews it");
        quiet.begin();
        quiet.thread_wakes();
        assert!(before.age(quiet.now()).unwrap() >= 60);
    }
}
