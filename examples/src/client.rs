//! A client of the tracker: HTTP/1.1 on one connection that is kept alive.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde::Deserialize;
use uuid::Uuid;

use crate::program::PATIENCE;

/// A connection to the tracker.
#[derive(Debug)]
pub struct Client {
    connection: BufReader<TcpStream>,
}

/// The tracker's response.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header `retry-after`, if there is one.
    pub retry_after: Option<String>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The id that the tracker gave to an event.
    ///
    /// # Panics
    ///
    /// If the tracker has not accepted the event.
    #[must_use]
    #[track_caller]
    pub fn id(&self) -> Uuid {
        #[derive(Deserialize)]
        struct Created {
            id: Uuid,
        }
        let Self { status, body, .. } = self;
        assert_eq!(*status, 201, "{body}");
        serde_json::from_str::<Created>(body).unwrap_or_else(|error| panic!("no id, {error}: {body}")).id
    }
}

impl Client {
    /// Connects to an address, `host:port`. Reads have a timeout.
    ///
    /// # Errors
    ///
    /// If no program listens there.
    pub fn connect(address: &str) -> io::Result<Self> {
        let connection = TcpStream::connect(address)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_nodelay(true)?;
        Ok(Self { connection: BufReader::new(connection) })
    }

    /// Sends a GET request.
    ///
    /// # Errors
    ///
    /// If the connection ends before the response is complete.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: tracker\r\n\r\n").as_bytes())?;
        self.answer()
    }

    /// Sends a POST request.
    ///
    /// # Errors
    ///
    /// If the connection ends before the response is complete.
    pub fn post(&mut self, path: &str, body: &str) -> io::Result<Answer> {
        let length = body.len();
        let request = format!("POST {path} HTTP/1.1\r\nhost: tracker\r\ncontent-length: {length}\r\n\r\n{body}");
        self.send(request.as_bytes())?;
        self.answer()
    }

    /// Sends raw bytes: a request, or a part of one.
    ///
    /// # Errors
    ///
    /// If the connection has ended.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.get_mut().write_all(bytes)
    }

    /// Reads exactly one response.
    ///
    /// # Errors
    ///
    /// If the connection ends before the response is complete.
    pub fn answer(&mut self) -> io::Result<Answer> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not an answer: {status_line:?}")))?;
        let (mut length, mut retry_after) = (0, None);
        loop {
            let header = self.line()?;
            let Some((name, value)) = header.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
                "retry-after" => retry_after = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.connection.read_exact(&mut body)?;
        Ok(Answer { status, retry_after, body: String::from_utf8(body).map_err(io::Error::other)? })
    }

    /// Waits until the tracker closes the connection without a further response.
    ///
    /// # Errors
    ///
    /// If the tracker sends something, or the connection breaks.
    pub fn closed(&mut self) -> io::Result<()> {
        match self.connection.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(io::Error::other("the tracker says something more")),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.connection.read_line(&mut line)? == 0 || !line.ends_with("\r\n") {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.len() - 2);
        Ok(line)
    }
}
