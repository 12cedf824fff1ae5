//! The kernel's queues of connections that no listener has accepted yet.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Semaphore;

use crate::machine::AcceptQueue;
use crate::session::{Hub, current_scope};

/// The open listeners of all supervisors, by their numbers.
static OPEN: Mutex<BTreeMap<u64, Open>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(0);

fn open() -> MutexGuard<'static, BTreeMap<u64, Open>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A listener whose queue can be read.
#[derive(Debug)]
struct Open {
    hub: &'static Hub,
    name: String,
    sockets: Vec<Socket>,
    activity: Arc<Activity>,
}

/// What a listener does about its queue.
#[derive(Debug, Default)]
pub(super) struct Activity {
    accepted: AtomicU64,
    /// Something has waited for a connection. Before that, the clients of a program that starts may wait.
    has_begun: AtomicBool,
    /// The permits of its limit.
    permits: OnceLock<Arc<Semaphore>>,
}

// Relaxed everywhere: each word is read by itself, and a look may be a moment late.
impl Activity {
    pub(super) fn begin(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    pub(super) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn limit(&self, permits: Arc<Semaphore>) {
        let _ = self.permits.set(permits);
    }

    /// Returns true if clients wait because the listener has as many connections as it may.
    fn is_at_limit(&self) -> bool {
        self.permits.get().is_some_and(|permits| permits.available_permits() == 0)
    }
}

/// A place in the list of open listeners. Drop it before the sockets are closed.
#[derive(Debug)]
pub(super) struct Listed {
    listener: u64,
    pub(super) activity: Arc<Activity>,
}

impl Listed {
    /// Lists the TCP sockets of a listener, if there is a supervisor. The system does not tell of the queues of
    /// Unix sockets.
    pub(super) fn new<'a>(name: &str, sockets: impl Iterator<Item = &'a TcpListener>) -> Self {
        let listener = NEXT.fetch_add(1, Ordering::Relaxed);
        let activity = Arc::<Activity>::default();
        if let Some(scope) = current_scope() {
            let sockets = sockets.filter_map(Socket::of).collect();
            let activity = Arc::clone(&activity);
            open().insert(listener, Open { hub: scope.hub, name: name.to_owned(), sockets, activity });
        }
        Self { listener, activity }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        open().remove(&self.listener);
    }
}

/// The queue of one listener.
#[derive(Clone, Debug)]
pub(crate) struct ListenerQueue {
    pub(crate) name: String,
    pub(crate) queue: AcceptQueue,
    /// Whether its clients should not have to wait: it is not at its limit, and has begun to accept.
    pub(crate) should_accept: bool,
}

/// The queues of a supervisor's listeners, as far as the system tells: on Linux those of TCP.
pub(crate) fn accept_queues(hub: &'static Hub) -> Vec<ListenerQueue> {
    let open = open();
    let own = open.iter().filter(|(_, open)| ptr::eq(open.hub, hub));
    own.filter_map(|(&listener, Open { name, sockets, activity, .. })| {
        let lengths: Vec<u64> = sockets.iter().filter_map(Socket::queued).collect();
        let queue = AcceptQueue {
            listener,
            waiting: lengths.iter().sum(),
            accepted: activity.accepted.load(Ordering::Relaxed),
        };
        let should_accept = activity.has_begun.load(Ordering::Relaxed) && !activity.is_at_limit();
        (!lengths.is_empty()).then(|| ListenerQueue { name: name.clone(), queue, should_accept })
    })
    .collect()
}

/// A listening socket. The listener keeps it open for as long as it is listed.
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Socket(std::os::fd::RawFd);

#[cfg(target_os = "linux")]
impl Socket {
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
    fn of(listener: &TcpListener) -> Option<Self> {
        use std::os::fd::AsRawFd as _;
        Some(Self(listener.as_raw_fd()))
    }

    /// How many connections wait.
    fn queued(&self) -> Option<u64> {
        super::kernel::queued(&self.0).ok()
    }
}

#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
enum Socket {}

#[cfg(not(target_os = "linux"))]
impl Socket {
    fn of(_: &TcpListener) -> Option<Self> {
        None
    }

    fn queued(&self) -> Option<u64> {
        match *self {}
    }
}
