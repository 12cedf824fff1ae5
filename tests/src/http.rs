//! A small HTTP client for the tests.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any answer takes.
const LIMIT: Duration = Duration::from_secs(5);

/// A local address that is free at this moment.
///
/// # Panics
///
/// If the system has no free port.
#[must_use]
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// The body.
    pub body: String,
    /// The status line and the headers.
    pub head: String,
}

/// Sends a GET request.
///
/// # Errors
///
/// If no program listens, or the response is incomplete.
pub fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    send(address, format!("GET {path} HTTP/1.1\r\nHost: probe\r\n\r\n").as_bytes())
}

/// Sends these bytes, and reads the response until the server closes the connection.
///
/// # Errors
///
/// If no program listens, or the response is incomplete.
pub fn send(address: SocketAddr, request: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(request)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let odd = || io::Error::other(format!("no answer of HTTP: {answer:?}"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(odd)?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(odd)?;
    Ok(Answer { code, body: body.to_owned(), head: head.to_owned() })
}

/// Repeats a GET request until the response has this code.
///
/// # Panics
///
/// If it never has.
pub fn wait_for_code(address: SocketAddr, path: &str, code: u16) -> Answer {
    let ends = Instant::now() + Duration::from_secs(15);
    loop {
        let answer = get(address, path);
        match answer {
            Ok(answer) if answer.code == code => return answer,
            answer => assert!(Instant::now() < ends, "{path} is never answered with {code}: {answer:?}"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}
