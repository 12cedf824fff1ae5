//! Clients that never retry, and count what goes wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::iter::Sum;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longer than any answer takes.
const LIMIT: Duration = Duration::from_secs(30);
/// The pause of a client between two requests, so that the clients do not take the whole machine.
const PAUSE: Duration = Duration::from_micros(500);

/// How a client uses its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// One for each request.
    OneEach,
    /// One until the server asks for its end.
    KeepAlive,
}

/// What became of the requests of some clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Answered with 200 or 201.
    pub answered: u64,
    /// The connection was refused.
    pub refused: u64,
    /// The connection ended before the answer was complete.
    pub reset: u64,
    /// What else went wrong, and how often: another status, or no answer within the limit.
    pub other: BTreeMap<String, u64>,
    /// The ids of the events that were answered with 201.
    pub created: Vec<String>,
}

impl Tally {
    /// How many requests went wrong.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.refused + self.reset + self.other.values().sum::<u64>()
    }

    fn count_failure(&mut self, failure: Failure) {
        match failure {
            Failure::Connection(ErrorKind::ConnectionRefused) => self.refused += 1,
            Failure::Connection(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof) => {
                self.reset += 1;
            }
            Failure::Connection(kind) => *self.other.entry(kind.to_string()).or_default() += 1,
            Failure::Status(status) => *self.other.entry(format!("answered with {status}")).or_default() += 1,
        }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |mut all, more| {
            all.answered += more.answered;
            all.refused += more.refused;
            all.reset += more.reset;
            for (what, times) in more.other {
                *all.other.entry(what).or_default() += times;
            }
            all.created.extend(more.created);
            all
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, refused, reset, other, created: _ } = self;
        write!(f, "{answered} answered, {refused} refused, {reset} reset")?;
        other.iter().try_for_each(|(what, times)| write!(f, ", {times} {what}"))
    }
}

enum Failure {
    Connection(ErrorKind),
    /// An answer with this status.
    Status(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Connection(error.kind())
    }
}

/// Clients that send one request after the other until they are stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// Starts this many clients, each of which requests `path` with HTTP/1.1.
    #[must_use]
    pub fn start(address: SocketAddr, path: &str, clients: usize, connections: Connections) -> Self {
        Self::send(address, Request::Get(path.to_owned()), clients, connections, PAUSE)
    }

    /// Starts this many clients that post events to the tracker of the examples, with this pause between two events.
    #[must_use]
    pub fn post_events(address: SocketAddr, clients: usize, connections: Connections, pause: Duration) -> Self {
        Self::send(address, Request::PostEvent, clients, connections, pause)
    }

    fn send(address: SocketAddr, request: Request, clients: usize, connections: Connections, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (answered, failed) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let clients = (0..clients).map(|_| {
            let client = Client { address, request: request.clone(), connections, pause };
            let (stop, answered, failed) = (Arc::clone(&stop), Arc::clone(&answered), Arc::clone(&failed));
            thread::spawn(move || client.run(&stop, &answered, &failed))
        });
        Self { clients: clients.collect(), stop, answered, failed }
    }

    /// Waits until this many more requests are answered.
    ///
    /// # Panics
    ///
    /// If they are answered no longer.
    pub fn wait_for(&self, more: u64) {
        let mut answered = self.answered.load(Ordering::Relaxed);
        let (enough, mut ends) = (answered + more, Instant::now() + LIMIT);
        while answered < enough {
            assert!(Instant::now() < ends, "requests are no longer answered");
            thread::sleep(Duration::from_millis(1));
            let now = self.answered.load(Ordering::Relaxed);
            if now > answered {
                (answered, ends) = (now, Instant::now() + LIMIT);
            }
        }
    }

    /// Returns true if a request has failed so far.
    #[must_use]
    pub fn has_failures(&self) -> bool {
        self.failed.load(Ordering::Relaxed) > 0
    }

    /// Waits until a request has failed.
    ///
    /// # Panics
    ///
    /// If none does.
    pub fn wait_for_failure(&self) {
        let ends = Instant::now() + LIMIT;
        while !self.has_failures() {
            assert!(Instant::now() < ends, "no request fails");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Stops the clients, and adds up what they have seen.
    ///
    /// # Panics
    ///
    /// If a client has panicked.
    #[must_use]
    pub fn finish(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let tallies = self.clients.into_iter().map(|client| client.join().expect("a client does not panic"));
        tallies.sum()
    }
}

#[derive(Clone)]
enum Request {
    Get(String),
    PostEvent,
}

impl Request {
    fn text(&self, connections: Connections) -> String {
        const EVENT: &str = r#"{"kind":"load"}"#;
        let (line, body) = match self {
            Self::Get(path) => (format!("GET {path}"), ""),
            Self::PostEvent => ("POST /events".to_owned(), EVENT),
        };
        let header = match connections {
            Connections::OneEach => "connection: close\r\n",
            Connections::KeepAlive => "",
        };
        let length = body.len();
        format!("{line} HTTP/1.1\r\nhost: load\r\ncontent-length: {length}\r\n{header}\r\n{body}")
    }
}

struct Client {
    address: SocketAddr,
    request: Request,
    connections: Connections,
    pause: Duration,
}

impl Client {
    fn run(&self, stop: &AtomicBool, answered: &AtomicU64, failed: &AtomicU64) -> Tally {
        let mut tally = Tally::default();
        let mut connection = None;
        while !stop.load(Ordering::Relaxed) {
            match self.request(&mut connection) {
                Ok(created) => {
                    tally.answered += 1;
                    tally.created.extend(created);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(failure) => {
                    connection = None;
                    tally.count_failure(failure);
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            thread::sleep(self.pause);
        }
        tally
    }

    /// Sends one request, and returns the id of the event that it has created.
    fn request(&self, kept: &mut Option<TcpStream>) -> Result<Option<String>, Failure> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => {
                let connection = TcpStream::connect(self.address)?;
                connection.set_read_timeout(Some(LIMIT))?;
                connection.set_nodelay(true)?;
                connection
            }
        };
        connection.write_all(self.request.text(self.connections).as_bytes())?;
        let (head, body) = read_answer(&mut connection)?;
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or(&head);
        let created = match status {
            "200" => None,
            "201" => body.split('"').nth(3).map(str::to_owned),
            other => return Err(Failure::Status(other.to_owned())),
        };
        if !head.contains("connection: close") {
            *kept = Some(connection);
        }
        Ok(created)
    }
}

/// Reads an answer with a length, and returns its head, the names of headers in lower case, and its body.
fn read_answer(connection: &mut TcpStream) -> std::io::Result<(String, String)> {
    let (mut answer, mut bytes) = (Vec::new(), [0; 1_024]);
    loop {
        let read = connection.read(&mut bytes)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&bytes[..read]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.replace("Connection:", "connection:").replace("Content-Length:", "content-length:");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.unwrap_or(0) {
            return Ok((head, body.to_owned()));
        }
    }
}
