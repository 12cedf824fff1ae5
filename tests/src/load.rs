//! Clients that never retry, and count what goes wrong.

use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
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
    /// Answered with 200.
    pub answered: u64,
    /// The connection was refused.
    pub refused: u64,
    /// The connection ended before the answer was complete.
    pub reset: u64,
    /// Answered with something else, or not within the limit.
    pub other: u64,
}

impl Tally {
    /// How many requests went wrong.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.refused + self.reset + self.other
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, refused, reset, other } = self;
        write!(f, "{answered} answered, {refused} refused, {reset} reset, {other} other")
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
        let stop = Arc::new(AtomicBool::new(false));
        let (answered, failed) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let clients = (0..clients).map(|_| {
            let client = Client { address, path: path.to_owned(), connections };
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

    /// Waits until a request has failed.
    ///
    /// # Panics
    ///
    /// If none does.
    pub fn wait_for_failure(&self) {
        let ends = Instant::now() + LIMIT;
        while self.failed.load(Ordering::Relaxed) == 0 {
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
        tallies.fold(Tally::default(), |sum, tally| Tally {
            answered: sum.answered + tally.answered,
            refused: sum.refused + tally.refused,
            reset: sum.reset + tally.reset,
            other: sum.other + tally.other,
        })
    }
}

struct Client {
    address: SocketAddr,
    path: String,
    connections: Connections,
}

impl Client {
    fn run(&self, stop: &AtomicBool, answered: &AtomicU64, failed: &AtomicU64) -> Tally {
        let mut tally = Tally::default();
        let mut connection = None;
        while !stop.load(Ordering::Relaxed) {
            match self.request(&mut connection) {
                Ok(()) => {
                    tally.answered += 1;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    connection = None;
                    failed.fetch_add(1, Ordering::Relaxed);
                    match error {
                        ErrorKind::ConnectionRefused => tally.refused += 1,
                        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
                            tally.reset += 1;
                        }
                        _ => tally.other += 1,
                    }
                }
            }
            thread::sleep(PAUSE);
        }
        tally
    }

    fn request(&self, kept: &mut Option<TcpStream>) -> Result<(), ErrorKind> {
        let kind = |error: std::io::Error| error.kind();
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => {
                let connection = TcpStream::connect(self.address).map_err(kind)?;
                connection.set_read_timeout(Some(LIMIT)).map_err(kind)?;
                connection.set_nodelay(true).map_err(kind)?;
                connection
            }
        };
        let header = match self.connections {
            Connections::OneEach => "connection: close\r\n",
            Connections::KeepAlive => "",
        };
        let request = format!("GET {} HTTP/1.1\r\nhost: load\r\n{header}\r\n", self.path);
        connection.write_all(request.as_bytes()).map_err(kind)?;
        let head = read_answer(&mut connection).map_err(kind)?;
        if !head.starts_with("HTTP/1.1 200") {
            return Err(ErrorKind::Other);
        }
        if !head.contains("connection: close") {
            *kept = Some(connection);
        }
        Ok(())
    }
}

/// Reads an answer with a length, and returns its head in lower case but for the status.
fn read_answer(connection: &mut TcpStream) -> std::io::Result<String> {
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
            return Ok(head);
        }
    }
}
