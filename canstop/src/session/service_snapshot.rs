//! The state of a service, for its handles.
//!
//! A handle may be awaited with a waker of the user's. So the control plane only stores the new state, and
//! wakers are woken off the control thread.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::off_control::OffControl;
use crate::machine::{RunId, ServiceId, ServiceOutcome, ServiceState};

/// The state of a service, as its handles and status reports see it.
#[derive(Clone, Debug)]
pub(crate) struct ServiceSnapshot {
    /// `None` until the control plane has read the request to start it.
    pub(crate) id: Option<ServiceId>,
    /// The last run of any service before this one's first.
    pub(crate) before: RunId,
    /// The current run, or the last one.
    pub(crate) run: RunId,
    /// How often it was restarted.
    pub(crate) restarts: u32,
    pub(crate) state: ServiceState,
    /// Since when it has been in this state.
    pub(crate) since: Instant,
    /// Its sessions and children have ended too, or were abandoned.
    pub(crate) drained: bool,
    pub(crate) last_error: Option<String>,
}

impl ServiceSnapshot {
    pub(crate) fn new() -> Self {
        Self {
            id: None,
            before: RunId::default(),
            run: RunId::default(),
            restarts: 0,
            state: ServiceState::Waiting,
            since: Instant::now(),
            drained: false,
            last_error: None,
        }
    }

    /// How it ended, once it, its sessions and its children have.
    pub(crate) fn is_over(&self) -> Option<ServiceOutcome> {
        match self.state {
            ServiceState::Over(outcome) if self.drained => Some(outcome),
            _ => None,
        }
    }
}

struct Cell {
    off_control: &'static OffControl,
    current: Mutex<Current>,
    changed: Notify,
}

struct Current {
    snapshot: ServiceSnapshot,
    /// The control plane has dropped its end: it changes no more.
    is_final: bool,
    /// How many readers wait for a change.
    waiting: usize,
}

impl Cell {
    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The control plane's end.
pub(crate) struct SnapshotSender(Arc<Cell>);

/// A handle's end.
#[derive(Clone)]
pub(crate) struct SnapshotReceiver(Arc<Cell>);

impl SnapshotSender {
    pub(crate) fn new(off_control: &'static OffControl) -> Self {
        let current = Current { snapshot: ServiceSnapshot::new(), is_final: false, waiting: 0 };
        Self(Arc::new(Cell { off_control, current: Mutex::new(current), changed: Notify::new() }))
    }

    pub(crate) fn subscribe(&self) -> SnapshotReceiver {
        SnapshotReceiver(Arc::clone(&self.0))
    }

    /// Changes the snapshot by `modify`, which returns whether it has changed anything.
    pub(crate) fn send_if_modified(&self, modify: impl FnOnce(&mut ServiceSnapshot) -> bool) {
        let mut current = self.0.lock();
        if modify(&mut current.snapshot) {
            self.wake(&current);
        }
    }

    fn wake(&self, current: &Current) {
        if current.waiting > 0 {
            let cell = Arc::clone(&self.0);
            self.0.off_control.run(move || cell.changed.notify_waiters());
        }
    }
}

impl Drop for SnapshotSender {
    fn drop(&mut self) {
        let mut current = self.0.lock();
        current.is_final = true;
        self.wake(&current);
    }
}

impl SnapshotReceiver {
    pub(crate) fn get(&self) -> ServiceSnapshot {
        self.0.lock().snapshot.clone()
    }

    /// Waits until `find` finds something, and returns it; or the last snapshot, if nothing was found in
    /// that either. Cancel safe.
    pub(crate) async fn wait_for<T>(&self, find: impl Fn(&ServiceSnapshot) -> Option<T>) -> Result<T, ServiceSnapshot> {
        let _waiting = Waiting::begin(&self.0);
        loop {
            let mut changed = pin!(self.0.changed.notified());
            // From here on a change wakes it, so no change after the next read is missed.
            changed.as_mut().enable();
            {
                let current = self.0.lock();
                if let Some(found) = find(&current.snapshot) {
                    return Ok(found);
                }
                if current.is_final {
                    return Err(current.snapshot.clone());
                }
            }
            changed.await;
        }
    }
}

/// Counts a reader that waits.
struct Waiting<'a>(&'a Cell);

impl<'a> Waiting<'a> {
    fn begin(cell: &'a Cell) -> Self {
        cell.lock().waiting += 1;
        Self(cell)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

impl std::fmt::Debug for SnapshotSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SnapshotSender").field(&self.0.lock().snapshot).finish()
    }
}

impl std::fmt::Debug for SnapshotReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SnapshotReceiver").field(&self.get()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::task::{Context, Poll, Wake, Waker};
    use std::thread::{self, ThreadId};

    use super::*;
    use crate::report::Reporter;
    use crate::settings::LogLevel;

    struct SendsThread(mpsc::Sender<ThreadId>);

    impl Wake for SendsThread {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(thread::current().id());
            panic!("a waker panics");
        }
    }

    #[test]
    fn a_users_waker_runs_on_another_thread_than_the_change() {
        let off_control: &'static OffControl = Box::leak(Box::default());
        let reporter = Reporter::start(LogLevel::default()).unwrap();
        off_control.attach_report_thread(reporter.thread());
        let sender = SnapshotSender::new(off_control);
        let receiver = sender.subscribe();
        let (woken, woken_on) = mpsc::channel();
        let waker = Waker::from(Arc::new(SendsThread(woken)));
        let mut waits = pin!(receiver.wait_for(|snapshot| snapshot.drained.then_some(())));
        let mut poll = || waits.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(poll().is_pending());
        sender.send_if_modified(|snapshot| {
            snapshot.drained = true;
            true
        });
        assert_ne!(woken_on.recv().unwrap(), thread::current().id());
        assert!(matches!(poll(), Poll::Ready(Ok(()))));
    }
}
