//! What the threads of a test's runtime do.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Wake, Waker};

use tokio::runtime::Builder;
use tokio::sync::Notify;

use super::clock::Clock;
use crate::session::Supervisor;

/// On a loaded machine, the last answer before a park may be the second.
const BUSY_ANSWERS: u64 = 5;

/// What the hooks of a test's runtime observe. No hot path reads it, so all orderings are sequentially consistent.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// How often a scheduler has found nothing to run.
    parks: AtomicU64,
    /// How often the runtime has answered the watchdog since it last had nothing to run.
    answers: AtomicU64,
    /// The watchdog asks for an answer.
    asks: Notify,
    /// How many schedulers currently have nothing to run.
    parked: AtomicUsize,
    /// Workers, and threads of the blocking pool.
    threads: AtomicUsize,
    /// How often the test's body was woken.
    wakes: AtomicU64,
    /// How many signals and stops the test has requested that are not delivered yet.
    requested: AtomicUsize,
    /// How many services there were when services last had time to start and nothing was requested.
    settled_services: AtomicUsize,
    /// Waits until the runtime is idle.
    waits_for_idle: Mutex<Option<Waker>>,
}

impl Activity {
    /// Observes the runtime that is built. The threads belong to the supervisor.
    pub(super) fn observe(self: &Arc<Self>, builder: &mut Builder, supervisor: &'static Supervisor, clock: Clock) {
        let (started, stopped) = (Arc::clone(self), Arc::clone(self));
        let (parks, unparks) = (Arc::clone(self), Arc::clone(self));
        builder
            .on_thread_start(move || {
                started.threads.fetch_add(1, Ordering::SeqCst);
                supervisor.adopt_thread();
            })
            .on_thread_stop(move || {
                stopped.threads.fetch_sub(1, Ordering::SeqCst);
            })
            .on_thread_park(move || {
                // On the real clock a worker may park between two lines of the body.
                if clock == Clock::Paused {
                    parks.settle(supervisor);
                }
                parks.park();
            })
            .on_thread_unpark(move || {
                unparks.parked.fetch_sub(1, Ordering::SeqCst);
            });
    }

    fn park(&self) {
        self.answers.store(0, Ordering::SeqCst);
        self.parks.fetch_add(1, Ordering::SeqCst);
        self.parked.fetch_add(1, Ordering::SeqCst);
        // A wake from here lets the single thread of a paused runtime continue before its clock moves.
        if let Some(waits) = self.lock_waits_for_idle().take() {
            waits.wake();
        }
    }

    /// A signal or a stop that is requested later does not wait for the services so far.
    pub(super) fn settle(&self, supervisor: &Supervisor) {
        if self.requested.load(Ordering::SeqCst) == 0 {
            self.settled_services.store(supervisor.services().len(), Ordering::SeqCst);
        }
    }

    /// Waits until the runtime's one thread has nothing to run.
    pub(super) async fn idle(&self) {
        let before = self.parks.load(Ordering::SeqCst);
        poll_fn(|cx| {
            if self.parks.load(Ordering::SeqCst) != before {
                return Poll::Ready(());
            }
            *self.lock_waits_for_idle() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn lock_waits_for_idle(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waits_for_idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn parks(&self) -> u64 {
        self.parks.load(Ordering::SeqCst)
    }

    pub(super) fn parked(&self) -> usize {
        self.parked.load(Ordering::SeqCst)
    }

    pub(super) fn threads(&self) -> usize {
        self.threads.load(Ordering::SeqCst)
    }

    pub(super) fn wakes(&self) -> u64 {
        self.wakes.load(Ordering::SeqCst)
    }

    pub(super) fn settled_services(&self) -> usize {
        self.settled_services.load(Ordering::SeqCst)
    }

    /// The test requests a signal or a stop.
    pub(super) fn request(&self) {
        self.requested.fetch_add(1, Ordering::SeqCst);
    }

    /// A request was delivered.
    pub(super) fn deliver(&self) {
        self.requested.fetch_sub(1, Ordering::SeqCst);
    }

    /// Asks the runtime whether it still polls its tasks.
    pub(super) fn ask(&self) {
        self.asks.notify_one();
    }

    /// Answers the watchdog. Never returns.
    pub(super) async fn answer(&self) -> Infallible {
        loop {
            self.asks.notified().await;
            self.answers.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::SeqCst)
    }

    /// Returns true if the runtime has had something to run for so long that it was asked several times.
    pub(super) fn is_busy(&self) -> bool {
        self.answers() >= BUSY_ANSWERS
    }

    /// A waker of the test's body: it counts, and wakes `root`.
    pub(super) fn count_wakes(self: &Arc<Self>, root: Waker) -> Waker {
        Waker::from(Arc::new(CountingWaker { activity: Arc::clone(self), root }))
    }
}

struct CountingWaker {
    activity: Arc<Activity>,
    root: Waker,
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.activity.wakes.fetch_add(1, Ordering::SeqCst);
        self.root.wake_by_ref();
    }
}
