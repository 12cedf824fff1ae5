//! A client that loads the tracker: HTTP/1.1 over plain connections that are kept alive.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use crate::program::{PATIENCE, connect};

const CONNECTIONS: usize = 8;
/// More than the tracker can answer before the signal comes, so that the stop meets the load.
const EVENTS_PER_CONNECTION: usize = 50_000;

/// Asks for a page, and gives its body.
pub(crate) fn get(address: &str, path: &str) -> String {
    let mut connection = BufReader::new(connect(address));
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    connection.get_mut().write_all(request.as_bytes()).expect("the tracker reads");
    let answer = read_answer(&mut connection).expect("the tracker answers");
    assert_eq!(answer.status, 200);
    answer.body
}

/// What the clients have seen.
pub(crate) struct Answers {
    /// The events whose 201 was read to its end.
    pub(crate) created: Vec<String>,
    /// Some client would have gone on.
    pub(crate) cut_off: bool,
}

/// Clients at work.
pub(crate) struct Load {
    clients: Vec<JoinHandle<Answers>>,
    answered: Receiver<()>,
}

impl Load {
    pub(crate) fn begin(address: &str) -> Self {
        let (sender, answered) = channel();
        let client = |number| {
            let (connection, answered) = (connect(address), sender.clone());
            thread::spawn(move || post_events(connection, number, &answered))
        };
        Self { clients: (0..CONNECTIONS).map(client).collect(), answered }
    }

    /// Waits until so many events were answered with 201.
    pub(crate) fn wait_for_answers(&self, count: usize) {
        for _ in 0..count {
            self.answered.recv_timeout(PATIENCE).expect("the tracker answers");
        }
    }

    /// Waits until every client is at its end, or was cut off.
    pub(crate) fn end(self) -> Answers {
        let mut all = Answers { created: Vec::new(), cut_off: false };
        for client in self.clients {
            let Answers { created, cut_off } = client.join().expect("a client does not panic");
            all.created.extend(created);
            all.cut_off |= cut_off;
        }
        all
    }
}

/// Posts one event after the other on one connection, until the tracker closes it.
fn post_events(connection: TcpStream, client: usize, answered: &Sender<()>) -> Answers {
    let mut connection = BufReader::new(connection);
    let mut created = Vec::new();
    for number in 0..EVENTS_PER_CONNECTION {
        let event = format!("event {client}/{number}");
        let request =
            format!("POST /events HTTP/1.1\r\nhost: tracker\r\ncontent-length: {}\r\n\r\n{event}", event.len());
        let sent = connection.get_mut().write_all(request.as_bytes());
        match sent.and_then(|()| read_answer(&mut connection)) {
            Ok(answer) => {
                assert_eq!(answer.status, 201, "of {event}");
                created.push(event);
                // The test may have seen enough.
                let _ = answered.send(());
            }
            Err(_) => return Answers { created, cut_off: true },
        }
    }
    Answers { created, cut_off: false }
}

struct Answer {
    status: u16,
    body: String,
}

/// Reads one answer, and not a byte of the next.
fn read_answer(connection: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    let status_line = read_line(connection)?;
    let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("not an answer: {status_line:?}")))?;
    let mut length = 0;
    loop {
        let header = read_line(connection)?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok(Answer { status, body: String::from_utf8(body).map_err(io::Error::other)? })
}

fn read_line(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 || !line.ends_with("\r\n") {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.len() - 2);
    Ok(line)
}
