//! Accepting until the stop, including the connections that the kernel has completed by then.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

use super::bind::{BACKLOG, Bound};
use super::queue::Listed;
use super::refusal::{Refusal, judge};
use super::socket::Listening;
use super::stream::{Peer, Socket, Stream};
use crate::lifecycle::Lifecycle;
use crate::machine::{Event, Phase};
use crate::session::current_scope;

/// The pause when the system is out of descriptors or memory, in which connections that end may release some.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(50);
/// How long a handshake in progress at the stop may take: more than a round trip within a data center.
const HANDSHAKE: Duration = Duration::from_millis(25);
/// If no connection was accepted for this many milliseconds, no handshake is expected.
const BUSY: u64 = 1_000;

/// A listener, made by [`listen`](super::listen()).
///
/// As text it is its address, or its addresses with commas between them.
///
/// ```no_run
/// # async fn serve(_: canstop::Stream) {}
/// # async fn example() -> std::io::Result<()> {
/// let listener = canstop::listen("feed", "127.0.0.1:7000").await?.limit(1_000);
/// println!("listening on {listener}");
/// while let Some(accepted) = listener.accept().await {
///     let (connection, peer) = accepted?;
///     canstop::spawn_session!(serve(connection), %peer);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listener {
    /// Before the sockets, which are closed after it.
    listed: Listed,
    name: String,
    sockets: Vec<Listening>,
    /// Which socket is polled first next time, so that none waits behind a busy one.
    next: AtomicUsize,
    limit: Option<Limit>,
    /// How many connections were accepted since the stop request.
    after_stop: AtomicU32,
    /// A connection that was accepted after the stop request while the limit was reached. It waits for its permit
    /// here, so that it is not lost if the caller is dropped.
    parked: Mutex<Option<(Socket, Peer)>>,
    /// When the last connection was accepted, in milliseconds since `created`; 0 if none was.
    last_accepted: AtomicU64,
    created: Instant,
    /// From the stop of the program on it refuses new clients; handshakes in progress complete until this moment.
    refuses_from: OnceLock<Instant>,
    /// A lack of descriptors was reported, and the queue has not been empty since.
    out_of_resources: AtomicBool,
    /// Offers its sockets to a process that takes over.
    #[cfg(all(unix, feature = "handover"))]
    _registration: Option<super::open::Registration>,
}

#[derive(Debug)]
struct Limit {
    connections: usize,
    permits: Arc<Semaphore>,
    reported: AtomicBool,
}

impl Listener {
    /// A listener on sockets that another process has too, and on its own.
    pub(super) fn new(name: &str, shared: Vec<Bound>, own: Vec<Bound>) -> io::Result<Self> {
        let shared = shared.into_iter().map(|socket| Listening::new(socket, true));
        let own = own.into_iter().map(|socket| Listening::new(socket, false));
        let sockets = shared.chain(own).collect::<io::Result<Vec<_>>>()?;
        let listed = Listed::new(name, sockets.iter().filter_map(Listening::tcp));
        Ok(Self {
            listed,
            name: name.to_owned(),
            sockets,
            next: AtomicUsize::new(0),
            limit: None,
            after_stop: AtomicU32::new(0),
            parked: Mutex::new(None),
            last_accepted: AtomicU64::new(0),
            created: Instant::now(),
            refuses_from: OnceLock::new(),
            out_of_resources: AtomicBool::new(false),
            #[cfg(all(unix, feature = "handover"))]
            _registration: None,
        })
    }

    #[cfg(all(unix, feature = "handover"))]
    pub(super) fn registered(self, registration: super::open::Registration) -> Self {
        Self { _registration: Some(registration), ..self }
    }

    /// Limits the number of open connections. At the limit, clients wait in the kernel's queue until a connection
    /// ends. The first time that happens is logged.
    ///
    /// # Panics
    ///
    /// If the limit is zero, which would accept nothing.
    #[must_use]
    #[track_caller]
    pub fn limit(mut self, connections: usize) -> Self {
        assert!(connections > 0, "a limit of zero connections accepts nothing: write at least 1");
        let permits = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        self.listed.activity.limit(Arc::clone(&permits));
        self.limit = Some(Limit { connections, permits, reported: AtomicBool::new(false) });
        self
    }

    /// Waits for the next connection. `None` after the stop of the service that calls it, or of its
    /// program, once the kernel's queue is empty: no client whose connection was completed is reset. Clients that
    /// connect later are refused; on a passed socket they wait for the next program.
    ///
    /// It skips connections that broke before they were accepted, and pauses while the system is out of descriptors,
    /// which it logs once. An error is one of the listener itself, and is permanent.
    ///
    /// A stop also ends a loop that always finds its next connection ready: after the stop request, at most as many
    /// connections are accepted as the queue can hold. Outside a supervisor it never returns `None`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no accepted connection is lost.
    pub async fn accept(&self) -> Option<io::Result<(Stream, Peer)>> {
        let lifecycle = Lifecycle::try_current().ok();
        let is_stopping = || lifecycle.as_ref().is_some_and(Lifecycle::is_stopping);
        // Until this process serves, connections are the predecessor's: this one may still fail.
        #[cfg(all(unix, feature = "handover"))]
        if let Some(serves) = super::open::wait_to_serve() {
            match &lifecycle {
                Some(lifecycle) => lifecycle.run_until_stopping(serves.cancelled()).await?,
                None => serves.cancelled().await,
            }
        }
        self.listed.activity.begin();
        // Without a supervisor there is no stop.
        let mut permit = match &lifecycle {
            Some(lifecycle) => lifecycle.run_until_stopping(self.permit()).await.flatten(),
            None => self.permit().await,
        };
        loop {
            let accepted = if is_stopping() {
                match self.accept_last(lifecycle.as_ref()).await? {
                    Ok(connection) if permit.is_none() && self.limit.is_some() => {
                        self.park(Some(connection));
                        permit = self.permit().await;
                        self.park(None).ok_or(io::ErrorKind::Interrupted.into())
                    }
                    accepted => accepted,
                }
            } else {
                self.after_stop.store(0, Ordering::Relaxed);
                self.accept_next(lifecycle.as_ref()).await?
            };
            let error = match accepted {
                Ok((socket, peer)) => {
                    self.listed.activity.accepted();
                    self.last_accepted.store(self.now(), Ordering::Relaxed);
                    return Some(Ok((Stream::new(socket, permit), peer)));
                }
                Err(error) => error,
            };
            match judge(&error) {
                Refusal::OfOne => {}
                Refusal::OutOfResources => {
                    if !self.out_of_resources.swap(true, Ordering::Relaxed) {
                        self.warn(format!(
                            "it cannot accept: {error}; it tries again every {OUT_OF_RESOURCES:?}. Raise the limit \
                             (`LimitNOFILE=`, `ulimit -n`), or set one of its own with `.limit(n)`"
                        ));
                    }
                    sleep(OUT_OF_RESOURCES).await;
                }
                Refusal::OfAll => {
                    return Some(Err(io::Error::new(error.kind(), format!("listener `{}`: {error}", self.name))));
                }
            }
        }
    }

    /// Reports a warning, if there is a supervisor.
    fn warn(&self, warning: String) {
        if let Some(scope) = current_scope() {
            scope.hub.emit(Event::ListenerWarning { listener: self.name.clone(), warning });
        }
    }

    /// Swaps the connection that waits for a permit.
    fn park(&self, connection: Option<(Socket, Peer)>) -> Option<(Socket, Peer)> {
        std::mem::replace(&mut *self.parked.lock().unwrap_or_else(PoisonError::into_inner), connection)
    }

    /// The next connection; `None` after the stop, once the queues are empty.
    async fn accept_next(&self, lifecycle: Option<&Lifecycle>) -> Option<io::Result<(Socket, Peer)>> {
        let accept = std::future::poll_fn(|cx| self.poll_accept(cx));
        let Some(lifecycle) = lifecycle else { return Some(accept.await) };
        match lifecycle.run_until_stopping(accept).await {
            Some(accepted) => Some(accepted),
            None => self.accept_last(Some(lifecycle)).await,
        }
    }

    /// A connection that was completed before the stop, or whose handshake was in progress then; `None` when there
    /// is none.
    async fn accept_last(&self, lifecycle: Option<&Lifecycle>) -> Option<io::Result<(Socket, Peer)>> {
        let complete_until = lifecycle.and_then(|lifecycle| self.refuse_new_clients(lifecycle));
        if let Some(accepted) = self.accept_queued() {
            return Some(accepted);
        }
        let completed = timeout_at(complete_until?, std::future::poll_fn(|cx| self.poll_accept(cx))).await;
        completed.ok().or_else(|| self.accept_queued())
    }

    /// In the stop of the program, refuses new clients. Returns until when handshakes in progress may complete;
    /// `None` if there are none, or if the stop is of one service only, whose next run accepts again.
    fn refuse_new_clients(&self, lifecycle: &Lifecycle) -> Option<Instant> {
        let is_of_program = || lifecycle.is_draining() && lifecycle.scope().hub.numbers().phase != Phase::DrainDelay;
        if self.refuses_from.get().is_none() && !is_of_program() {
            return None;
        }
        let complete_until = *self.refuses_from.get_or_init(|| {
            let has_handshakes = self.sockets.iter().filter(|socket| socket.refuse_new_clients()).count() > 0;
            let last = self.last_accepted.load(Ordering::Relaxed);
            let is_busy = last > 0 && self.now().saturating_sub(last) < BUSY;
            let now = Instant::now();
            if has_handshakes && is_busy { now + HANDSHAKE } else { now }
        });
        (complete_until > Instant::now()).then_some(complete_until)
    }

    /// Milliseconds since it was made, from 1.
    fn now(&self) -> u64 {
        u64::try_from(self.created.elapsed().as_millis()).map_or(u64::MAX, |now| now.saturating_add(1))
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Socket, Peer)>> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for offset in 0..self.sockets.len() {
            let socket = &self.sockets[first.wrapping_add(offset) % self.sockets.len()];
            if let Poll::Ready(accepted) = socket.poll_accept(cx) {
                return Poll::Ready(accepted);
            }
        }
        // The queues are empty, so the next lack of descriptors is reported again.
        self.out_of_resources.store(false, Ordering::Relaxed);
        Poll::Pending
    }

    /// A connection that was completed before the stop; `None` when there is none.
    ///
    /// New connections may arrive as fast as these are accepted, so at most as many are accepted as the queues hold.
    fn accept_queued(&self) -> Option<io::Result<(Socket, Peer)>> {
        if let Some(parked) = self.park(None) {
            return Some(Ok(parked));
        }
        let queues = BACKLOG.saturating_mul(u32::try_from(self.sockets.len()).unwrap_or(u32::MAX));
        if self.after_stop.fetch_add(1, Ordering::Relaxed) >= queues {
            return None;
        }
        self.sockets.iter().find_map(Listening::accept_queued)
    }

    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let Limit { connections, permits, reported } = self.limit.as_ref()?;
        if let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
            return Some(permit);
        }
        if !reported.swap(true, Ordering::Relaxed) {
            self.warn(format!("it has its limit of {connections} connections; others wait until one ends"));
        }
        Some(Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed"))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of its first TCP socket. If port 0 was requested, it has the port that the system chose.
    ///
    /// # Errors
    ///
    /// If it listens on Unix sockets only, or the system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let tcp = self.sockets.iter().find_map(Listening::tcp);
        let none = || io::Error::new(io::ErrorKind::Unsupported, format!("`{}` listens on a Unix socket", self.name));
        tcp.ok_or_else(none)?.local_addr()
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, socket) in self.sockets.iter().enumerate() {
            if number > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{socket}")?;
        }
        Ok(())
    }
}
