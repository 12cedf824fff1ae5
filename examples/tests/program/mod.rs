//! An example that runs as a process of its own.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// How long anything may take before a test gives up. Nothing waits so long that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A connection on which no read waits for ever.
pub(crate) fn connect(address: &str) -> TcpStream {
    let connection = TcpStream::connect(address).expect("the program listens");
    connection.set_read_timeout(Some(PATIENCE)).expect("it may have a timeout");
    connection.set_nodelay(true).expect("it may send at once");
    connection
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
}

/// An example that is to be started.
pub(crate) struct Program {
    command: Command,
}

impl Program {
    pub(crate) fn new(name: &str) -> Self {
        let path = path_of(name);
        let built = modified(&path);
        let source = modified(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.rs")));
        // `cargo test` with a test's name, or with `--test`, leaves the examples as they are.
        assert!(built >= source, "{} is not built of its source; run `cargo build --examples` first", path.display());
        let mut command = Command::new(path);
        command.env("NO_COLOR", "1").env_remove("RUST_LOG").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().expect("the example starts");
        let stdout = child.stdout.take().expect("it is a pipe");
        let mut stderr = child.stderr.take().expect("it is a pipe");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody listens any more: the test has failed already.
                let _ = sender.send(line);
            }
        });
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).expect("it writes text");
            text
        });
        Running { child, lines, seen: String::new(), stderr: Some(stderr) }
    }
}

/// Examples are built into a folder beside that of the tests.
fn path_of(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().expect("a test knows where it is");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.join("examples").join(name)
}

/// When a file was written; `None` if there is none.
fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// An example that runs. It is killed when the test that started it fails.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: String,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    /// Waits for a line of the output, and gives it.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let gives_up = Instant::now() + PATIENCE;
        loop {
            let line = self.lines.recv_timeout(gives_up.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("no line says {text:?}; there were:\n{}", self.seen));
            self.see(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits until the program says where it listens.
    pub(crate) fn address(&mut self) -> String {
        let line = self.wait_for("listening on ");
        let (_, after) = line.split_once("listening on ").expect("it was waited for");
        after.split([',', ' ']).next().unwrap_or(after).to_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let option = match signal {
            Signal::Interrupt => "-INT",
            Signal::Terminate => "-TERM",
        };
        let status = Command::new("kill").args([option, &self.child.id().to_string()]).status();
        assert!(status.expect("there is a `kill`").success(), "the program is gone already:\n{}", self.seen);
    }

    /// Waits until the program has ended.
    pub(crate) fn wait(mut self) -> Ended {
        let gives_up = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(gives_up.saturating_duration_since(Instant::now())) {
                Ok(line) => self.see(&line),
                // It has closed its output.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the program does not end; it said:\n{}", self.seen),
            }
        }
        let status = self.child.wait().expect("it was started by this test");
        let stderr = self.stderr.take().expect("it is waited for once").join().expect("it could be read");
        Ended { code: status.code(), stdout: std::mem::take(&mut self.seen), stderr }
    }

    fn see(&mut self, line: &str) {
        self.seen.push_str(line);
        self.seen.push('\n');
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // In vain where it has ended, as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an example has left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The number that stands after these words in the output.
    pub(crate) fn number_after<T: FromStr>(&self, words: &str) -> T {
        let number = self.stdout.split_once(words).and_then(|(_, after)| after.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no number stands after {words:?}:\n{self}"))
    }
}

impl Ended {
    /// These words stand in the output, in this order.
    #[track_caller]
    pub(crate) fn has_in_order(&self, words: &[&str]) {
        let mut rest = &self.stdout[..];
        for words in words {
            let Some((_, after)) = rest.split_once(words) else { panic!("{words:?} is not in its order:\n{self}") };
            rest = after;
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, stdout, stderr } = self;
        write!(f, "exit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
