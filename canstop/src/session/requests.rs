//! The requests that are being served, so that a report names them and not the session of their connection.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hyper::{Method, Uri};
use slab::Slab;
use tokio::sync::oneshot;

use super::request_name::RequestName;
use super::request_phase::Phase;
use super::scope::Scope;
use super::site::Site;
use super::split::Named;
use super::tagged::{SpawnTick, TICK};
use crate::machine::{Activity, Owner};

/// A poll that has lasted for fewer ticks is not one that blocks: it may have begun just before a tick.
const BLOCKS: u32 = 2;

/// Connections use these in turn, so that threads rarely contend for one.
static ENTERED: [Mutex<Slab<Weak<Exchange>>>; 16] = [const { Mutex::new(Slab::new()) }; 16];
static NEXT: AtomicU32 = AtomicU32::new(0);
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since some moment of this process.
pub(crate) fn now() -> u64 {
    u64::try_from(BASE.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// A connection, and over HTTP/1 the request that it is in; or one request of an HTTP/2 connection.
pub(crate) struct Exchange {
    site: &'static Site,
    scope: &'static Scope,
    /// The HTTP/2 connection of this request.
    connection: Option<Arc<Exchange>>,
    entry: (usize, usize),
    phase: AtomicU8,
    /// When the request, or the pause between two, began.
    since: AtomicU64,
    /// The tick at which the poll began that the handler is in; 0 when it is in none. A tick costs a load, where the
    /// clock costs more than the rest of what is noted for a poll.
    polled_since: AtomicUsize,
    /// How many requests an HTTP/2 connection has seen, and how many handlers of it run.
    requests: AtomicU32,
    running: AtomicU32,
    /// Bytes that were read and written.
    moved: AtomicU64,
    name: Mutex<RequestName>,
    /// The service is stopping.
    stopping: AtomicBool,
    /// A request was answered before all of its body was read.
    unread_body: AtomicBool,
}

impl Exchange {
    /// A connection whose sessions are spawned at this site.
    pub(crate) fn enter(site: &'static Site, scope: &'static Scope, connection: Option<Arc<Self>>) -> Arc<Self> {
        let shard = NEXT.fetch_add(1, Ordering::Relaxed) as usize % ENTERED.len();
        let since = now();
        Arc::new_cyclic(|weak| Self {
            site,
            scope,
            connection,
            entry: (shard, lock(&ENTERED[shard]).insert(weak.clone())),
            phase: AtomicU8::new(Phase::Fresh as u8),
            since: AtomicU64::new(since),
            polled_since: AtomicUsize::new(0),
            requests: AtomicU32::new(0),
            running: AtomicU32::new(0),
            moved: AtomicU64::new(0),
            name: Mutex::default(),
            stopping: AtomicBool::new(false),
            unread_body: AtomicBool::new(false),
        })
    }

    pub(crate) fn site(&self) -> &'static Site {
        self.site
    }

    pub(crate) fn scope(&self) -> &'static Scope {
        self.scope
    }

    // Relaxed everywhere: each word is about one task, which reads it itself. A report may be a
    // moment off.
    pub(crate) fn phase(&self) -> Phase {
        Phase::from_bits(self.phase.load(Ordering::Relaxed))
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        let Some(connection) = &self.connection else {
            self.phase.store(phase as u8, Ordering::Relaxed);
            return;
        };
        let before = Phase::from_bits(self.phase.swap(phase as u8, Ordering::Relaxed));
        match (before.is_running(), phase.is_running()) {
            (false, true) => drop(connection.running.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(connection.running.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
    }

    /// From one phase to another, if it is in that one.
    pub(crate) fn move_phase(&self, from: Phase, to: Phase) {
        if self.phase() == from {
            self.set_phase(to);
        }
    }

    /// Bytes have come or gone. Only the task that has the connection calls this, so it need not be one operation.
    pub(crate) fn moved(&self, bytes: usize) {
        self.moved.store(self.bytes_moved().wrapping_add(bytes as u64), Ordering::Relaxed);
    }

    pub(crate) fn bytes_moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Bytes have come: where no request was, a head begins.
    pub(crate) fn received(&self, bytes: usize) {
        self.moved(bytes);
        if matches!(self.phase(), Phase::Fresh | Phase::Idle) {
            self.begin_head();
        }
    }

    pub(crate) fn begin_head(&self) {
        self.since.store(now(), Ordering::Relaxed);
        self.set_phase(Phase::Head);
    }

    /// How long ago the request or the pause began, in milliseconds.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(now().saturating_sub(self.since.load(Ordering::Relaxed)))
    }

    /// A handler gets a request.
    pub(crate) fn begin(&self, method: &Method, uri: &Uri) {
        lock(&self.name).begin(method, uri);
        if let Some(connection) = &self.connection {
            connection.requests.fetch_add(1, Ordering::Relaxed);
        }
        self.unread_body.store(false, Ordering::Relaxed);
        self.set_phase(Phase::Handler);
    }

    /// Names the request by the route that it took.
    #[cfg(feature = "axum")]
    pub(crate) fn set_route(&self, route: &str) {
        lock(&self.name).set_route(route);
    }

    /// The request is answered, or its client is gone.
    pub(crate) fn end(&self) {
        if self.phase() == Phase::Upgraded {
            return;
        }
        self.since.store(now(), Ordering::Relaxed);
        self.set_phase(Phase::Idle);
    }

    /// The connection leaves HTTP. Over HTTP/1 the request lasts until the connection is closed. Over HTTP/2 nothing
    /// shows when its stream ends, so the connection counts as running until it ends.
    pub(crate) fn upgrade(&self) {
        if let Some(connection) = &self.connection {
            connection.running.fetch_add(1, Ordering::Relaxed);
            return;
        }
        lock(&self.name).upgrade();
        self.set_phase(Phase::Upgraded);
    }

    /// Completes when the upgraded connection is closed; `None` if it is not upgraded, or closed already.
    pub(crate) fn closed(&self) -> Option<oneshot::Receiver<()>> {
        lock(&self.name).closed()
    }

    /// The connection is closed.
    pub(crate) fn close(&self) {
        if self.phase() == Phase::Upgraded {
            let open = lock(&self.name).close();
            self.set_phase(Phase::Idle);
            // Nothing is woken under the lock.
            drop(open);
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_unread_body(&self) -> bool {
        self.unread_body.load(Ordering::Relaxed)
    }

    pub(crate) fn leave_body_unread(&self) {
        self.unread_body.store(true, Ordering::Relaxed);
    }

    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns true while a handler of the user's runs for this connection.
    pub(crate) fn is_running(&self) -> bool {
        self.phase().is_running() || self.running.load(Ordering::Relaxed) > 0
    }

    /// For how many ticks the handler has been in one poll.
    fn ticks_in_poll(&self) -> u32 {
        match self.polled_since.load(Ordering::Relaxed) {
            0 => 0,
            since => SpawnTick::from_bits(since).age(self.scope.hub.now()).unwrap_or(0),
        }
    }

    /// While the guard is held, the handler's code runs.
    pub(crate) fn polled(&self) -> HandlerPoll<'_> {
        self.polled_since.store(self.scope.hub.now().to_bits(), Ordering::Relaxed);
        HandlerPoll(self)
    }
}

pub(crate) struct HandlerPoll<'a>(&'a Exchange);

impl Drop for HandlerPoll<'_> {
    fn drop(&mut self) {
        self.0.polled_since.store(0, Ordering::Relaxed);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.set_phase(Phase::Idle);
        let (shard, key) = self.entry;
        lock(&ENTERED[shard]).remove(key);
    }
}

/// The service and the route of each request that the sessions of these scopes serve. A request whose route is not known
/// has none here: its path is the client's to choose, and so is its method where it is not a standard one.
pub(super) fn by_route(is_meant: impl Fn(&'static Scope) -> bool) -> Vec<(Option<String>, Option<String>)> {
    let requests = all().into_iter().filter(|exchange| is_meant(exchange.scope) && exchange.phase().is_request());
    requests
        .map(|exchange| {
            let home = exchange.scope.home();
            let route = lock(&exchange.name).route();
            ((home.owner != Owner::Root).then(|| home.name()), route)
        })
        .collect()
}

/// Every connection and request.
fn all() -> Vec<Arc<Exchange>> {
    let mut exchanges = Vec::new();
    for shard in &ENTERED {
        exchanges.extend(lock(shard).iter().filter_map(|(_, exchange)| exchange.upgrade()));
    }
    exchanges
}

/// The requests that the sessions of these scopes serve.
pub(super) fn requests(is_meant: impl Fn(&'static Scope) -> bool) -> Vec<Named> {
    let exchanges = all();
    let seen = exchanges.iter().filter(|exchange| exchange.phase().is_request() && is_meant(exchange.scope));
    seen.map(|exchange| {
        let name = lock(&exchange.name).to_string();
        let activity = match exchange.ticks_in_poll() {
            ticks if ticks < BLOCKS => Activity::Waiting,
            ticks => Activity::Blocking { since: TICK * ticks },
        };
        Named { site: exchange.site, scope: exchange.scope, name, age: exchange.age(), activity }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SITE, service};
    use super::*;

    #[test]
    fn a_connection_is_running_while_one_of_its_requests_is() {
        let connection = Exchange::enter(&SITE, service(), None);
        let [first, second] = [(); 2].map(|()| {
            let request = Exchange::enter(&SITE, service(), Some(Arc::clone(&connection)));
            request.begin(&Method::POST, &Uri::from_static("/"));
            request
        });
        first.move_phase(Phase::Handler, Phase::Receiving);
        assert!(connection.is_running(), "the second request is");
        second.move_phase(Phase::Handler, Phase::Receiving);
        assert!(!connection.is_running(), "both wait for their clients");
        second.move_phase(Phase::Handler, Phase::Body);
        assert_eq!(second.phase(), Phase::Receiving, "it was not in the first of the two phases");
        second.move_phase(Phase::Receiving, Phase::Handler);
        assert!(connection.is_running());
    }
}
