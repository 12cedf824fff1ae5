//! A blocking HTTP/1 client that keeps its connection, and sees how it ends.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection to a probe.
#[derive(Debug)]
pub struct Client(TcpStream);

impl Client {
    /// Connects to an address.
    ///
    /// # Panics
    ///
    /// If nothing listens there.
    #[must_use]
    pub fn connect(address: &str) -> Self {
        Self::try_connect(address).expect("it listens")
    }

    /// Connects to an address.
    ///
    /// # Errors
    ///
    /// The system's, such as a refused connection.
    pub fn try_connect(address: &str) -> io::Result<Self> {
        let client = TcpStream::connect(address)?;
        client.set_read_timeout(Some(PATIENCE))?;
        client.set_nodelay(true)?;
        Ok(Self(client))
    }

    /// Sends these bytes as they are.
    ///
    /// # Panics
    ///
    /// If they cannot be sent.
    pub fn send(&mut self, text: &str) {
        self.try_send(text.as_bytes()).expect("the program reads");
    }

    /// Sends these bytes as they are.
    ///
    /// # Errors
    ///
    /// The system's, if the connection broke.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Sends a whole GET request.
    ///
    /// # Panics
    ///
    /// If it cannot be sent.
    pub fn get(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
    }

    /// Reads a response: its headers, and a body of the length that they declare.
    ///
    /// # Errors
    ///
    /// The system's, or that the connection ended before.
    pub fn answer(&mut self) -> io::Result<String> {
        let mut answer = Vec::new();
        loop {
            let mut bytes = [0; 4096];
            let read = self.0.read(&mut bytes)?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(&bytes[..read]);
            let text = String::from_utf8_lossy(&answer).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                return Ok(text);
            }
        }
    }

    /// Waits for the end of the connection. Returns true if it was closed, and false if it was reset or more bytes
    /// arrive.
    pub fn ends_well(&mut self) -> bool {
        self.0.read(&mut [0; 16]).is_ok_and(|read| read == 0)
    }

    /// Closes both directions.
    ///
    /// # Panics
    ///
    /// If it is not connected.
    pub fn hang_up(self) {
        self.0.shutdown(std::net::Shutdown::Both).expect("it is connected");
    }

    /// Upgrades to a websocket.
    ///
    /// # Panics
    ///
    /// If the program does not agree.
    #[must_use]
    pub fn upgrade(mut self, path: &str) -> WebSocket {
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ));
        // Byte by byte: what follows the head is the first frame.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("the whole head");
            head.extend_from_slice(&byte);
        }
        let head = String::from_utf8_lossy(&head);
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        WebSocket(self.0)
    }
}

/// The client's end of a websocket, which speaks only short frames.
#[derive(Debug)]
pub struct WebSocket(TcpStream);

/// A message from the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Text.
    Text(String),
    /// It closes the websocket.
    Close,
}

impl WebSocket {
    const TEXT: u8 = 0x81;
    const CLOSE: u8 = 0x88;

    /// Sends a text.
    ///
    /// # Errors
    ///
    /// The system's, if the connection broke.
    ///
    /// # Panics
    ///
    /// If it has more than 125 bytes.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        self.send(Self::TEXT, text.as_bytes())
    }

    /// A client must mask its bytes; a mask of zeros changes none.
    fn send(&mut self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        let length = u8::try_from(bytes.len()).ok().filter(|length| *length <= 125).expect("a short text");
        let mut frame = vec![kind, 0x80 | length, 0, 0, 0, 0];
        frame.extend_from_slice(bytes);
        self.0.write_all(&frame)
    }

    /// Reads the next message, and answers a close.
    ///
    /// # Errors
    ///
    /// The system's, or that the connection ended without a close.
    pub fn read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        let mut bytes = vec![0; usize::from(head[1])];
        self.0.read_exact(&mut bytes)?;
        match head[0] {
            Self::TEXT => Ok(Frame::Text(String::from_utf8_lossy(&bytes).into_owned())),
            Self::CLOSE => {
                self.send(Self::CLOSE, &bytes)?;
                Ok(Frame::Close)
            }
            other => Err(io::Error::new(ErrorKind::InvalidData, format!("an unexpected frame: {other:#x}"))),
        }
    }
}
