//! The application as each test starts it, and a client of the line protocol.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use canstop::testing::Supervisor;
use canstop::{Event, Exit, ServiceHandle};
use canstop_tests::http::Answer;
use canstop_tests_board::archive::archive;
use canstop_tests_board::board::Board;
use canstop_tests_board::http::http;
use canstop_tests_board::lines::lines;

/// Longer than any answer takes.
const LIMIT: Duration = Duration::from_secs(5);

/// A running application.
pub(crate) struct App {
    pub(crate) board: Arc<Board>,
    pub(crate) lines: ServiceHandle,
    path: PathBuf,
}

impl App {
    /// Starts all services, and returns when they are ready.
    pub(crate) async fn start(sup: &mut Supervisor) -> Self {
        Self::start_with_idle_limit(sup, LIMIT * 2).await
    }

    /// The same, with a limit of its own for clients that say nothing.
    pub(crate) async fn start_with_idle_limit(sup: &mut Supervisor, idle: Duration) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("canstop-board-{}-{number}", std::process::id()));
        let (board, records) = Board::new();
        sup.start(archive(Arc::clone(&board), records, path.clone()));
        sup.start(http(Arc::clone(&board)));
        let lines = sup.start(lines(Arc::clone(&board), idle));
        for name in ["http", "lines"] {
            sup.wait_for(|event| matches!(event, Event::ServiceReady { service, .. } if service == name)).await;
        }
        Self { board, lines, path }
    }

    pub(crate) fn http(&self) -> SocketAddr {
        *self.board.http.get().expect("it is served")
    }

    /// A new client of the line protocol.
    pub(crate) fn client(&self) -> Client {
        Client::connect(*self.board.lines.get().expect("it is served"))
    }

    /// Sends a request over HTTP.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        send(self.http(), method, path, body)
    }

    /// The lines of the archive, which is complete once the program has stopped.
    pub(crate) fn archived(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.path).expect("the archive is written");
        text.lines().map(str::to_owned).collect()
    }

    /// Stops the program, which must end well.
    pub(crate) async fn stop(&self, sup: &mut Supervisor) {
        let report = sup.stop().await;
        assert_eq!(report.exit, Exit::Clean, "{report}");
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Sends a request over HTTP, and reads the response until the connection closes.
pub(crate) fn send(address: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: board\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    canstop_tests::http::send(address, request.as_bytes()).expect("an answer")
}

/// A client that blocks, as one without async does.
pub(crate) struct Client {
    from: BufReader<TcpStream>,
    to: TcpStream,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let to = TcpStream::connect_timeout(&address, LIMIT).expect("it listens");
        to.set_read_timeout(Some(LIMIT)).expect("a limit that is not zero");
        let from = BufReader::new(to.try_clone().expect("a descriptor is free"));
        Self { from, to }
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.to.write_all(text.as_bytes()).expect("it reads");
    }

    /// The next line; `None` if the server has closed the connection.
    pub(crate) fn read(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.from.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line: {error}"),
        }
    }

    /// Sends a command, and returns the answer.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        self.write(&format!("{command}\n"));
        self.read().expect("an answer")
    }
}
