//! The connections of the health endpoint.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::http::{self, HEAD_LIMIT, Page, Refusal, Request, Response};
use crate::machine::{Answer, Probe, Unready};

/// The maximum number of connections. A new one replaces the oldest, so that a client which keeps connections open
/// cannot block probes.
const CONNECTIONS: usize = 32;
/// How long a client may take to send its request and to read the response.
const LIMIT: Duration = Duration::from_secs(2);
/// How long the server reads on after the response: to close a connection with unread bytes resets it, and the
/// client may lose the response.
const LINGER: Duration = Duration::from_millis(250);
/// The pause after a connection could not be accepted, as when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many questions may wait for the control plane.
const QUESTIONS: usize = 64;

/// A question to the control plane.
#[derive(Debug)]
pub(crate) enum Question {
    Probe(Probe, oneshot::Sender<Answer>),
    /// A page, with its content type; none if it is not offered.
    Page(Page, oneshot::Sender<Option<(&'static str, String)>>),
}

/// A health endpoint with a bound address.
#[derive(Debug)]
pub(crate) struct Server {
    listener: StdListener,
    /// Offers the socket to a process that takes over.
    #[cfg(all(unix, feature = "handover"))]
    registration: crate::listen::Registration,
}

/// The server of the previous supervisor, if there was one. It answers until the process ends, or until the next
/// supervisor binds its own address.
static PREVIOUS: Mutex<Option<AbortHandle>> = Mutex::new(None);

fn previous() -> std::sync::MutexGuard<'static, Option<AbortHandle>> {
    PREVIOUS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Binds the address.
    ///
    /// # Errors
    ///
    /// If it cannot be bound, with the address.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        if let Some(server) = previous().take() {
            server.abort();
            while !server.is_finished() {
                std::thread::yield_now();
            }
        }
        let listener = open(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        let listener = listener.map_err(|error| {
            let kind = error.kind();
            io::Error::new(kind, format!("cannot answer health on {address}: {error}"))
        })?;
        Ok(Self {
            #[cfg(all(unix, feature = "handover"))]
            registration: crate::listen::Registration::health(&listener)?,
            listener,
        })
    }

    /// Serves on the current runtime, and returns the receiver of its questions. When that is dropped the program
    /// has ended, and probes get that answer.
    ///
    /// # Errors
    ///
    /// If the socket cannot be registered with the runtime.
    pub(crate) fn start(self) -> io::Result<mpsc::Receiver<Question>> {
        let (ask, questions) = mpsc::channel(QUESTIONS);
        let listener = TcpListener::from_std(self.listener)?;
        let server = tokio::spawn(async move {
            #[cfg(all(unix, feature = "handover"))]
            let _registration = self.registration;
            // Until this process serves, probes are the predecessor's.
            #[cfg(all(unix, feature = "handover"))]
            if let Some(serves) = crate::listen::wait_to_serve() {
                serves.cancelled().await;
            }
            serve(listener, ask).await;
        });
        *previous() = Some(server.abort_handle());
        Ok(questions)
    }
}

/// Leaves new probes to another process that has the same socket.
#[cfg(all(unix, feature = "handover"))]
pub(crate) fn stop_accepting() {
    if let Some(server) = previous().take() {
        server.abort();
    }
}

/// The socket of the process before this one, or a new one.
fn open(address: SocketAddr) -> io::Result<StdListener> {
    #[cfg(all(unix, feature = "handover"))]
    if let Some(listener) = crate::listen::take_health(address) {
        return Ok(listener);
    }
    StdListener::bind(address)
}

async fn serve(listener: TcpListener, ask: mpsc::Sender<Question>) {
    let mut connections: VecDeque<AbortHandle> = VecDeque::with_capacity(CONNECTIONS);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        connections.retain(|connection| !connection.is_finished());
        if connections.len() == CONNECTIONS
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
        let connection = tokio::spawn(converse(stream, ask.clone()));
        connections.push_back(connection.abort_handle());
    }
}

/// Serves one request on a connection.
async fn converse(mut stream: TcpStream, ask: mpsc::Sender<Question>) {
    let conversation = timeout(LIMIT, async {
        let request = read(&mut stream).await?;
        let (response, head_only) = match request {
            Ok(request) => (respond(request, &ask).await, request.head_only),
            Err(refusal) => (Response::of_refusal(refusal), false),
        };
        stream.write_all(&response.into_bytes(head_only)).await?;
        stream.shutdown().await
    });
    match conversation.await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return,
        Err(_) => {
            // Write what fits at once: the client's time is up.
            let _ = stream.try_write(&Response::of_refusal(Refusal::Timeout).into_bytes(false));
            return;
        }
    }
    let mut rest = [0; 1_024];
    let _ = timeout(LINGER, async { while stream.read(&mut rest).await.is_ok_and(|length| length > 0) {} }).await;
}

/// Reads the head of a request, or whatever the client sends instead.
async fn read(stream: &mut TcpStream) -> io::Result<Result<Request, Refusal>> {
    let mut head = Vec::with_capacity(1_024);
    while !http::is_complete(&head) {
        if head.len() >= HEAD_LIMIT {
            return Ok(Err(Refusal::TooLong));
        }
        let mut piece = [0; 1_024];
        let room = piece.len().min(HEAD_LIMIT - head.len());
        match stream.read(&mut piece[..room]).await? {
            0 => return Ok(Err(Refusal::BadRequest)),
            length => head.extend_from_slice(&piece[..length]),
        }
    }
    Ok(http::understand(&head))
}

async fn respond(request: Request, ask: &mpsc::Sender<Question>) -> Response {
    match request.page {
        Page::Probe(probe) => {
            let (answer, answered) = oneshot::channel();
            let asked = ask.send(Question::Probe(probe, answer)).await;
            let answer = if asked.is_ok() { answered.await.ok() } else { None };
            // The control plane has ended: the program is over, and the process is about to exit.
            let over = if probe == Probe::Live { Ok(()) } else { Err(Unready::Stopping) };
            Response::of_probe(&answer.unwrap_or(over))
        }
        page => {
            let (answer, answered) = oneshot::channel();
            let asked = ask.send(Question::Page(page, answer)).await;
            let answer = if asked.is_ok() { answered.await.ok().flatten() } else { None };
            answer.map_or_else(
                || Response::of_refusal(Refusal::NotFound),
                |(content_type, body)| Response::of_page(content_type, body),
            )
        }
    }
}
