//! Running an example as a process: starting it, sending signals, reading its output, waiting for its end.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How long a test waits for anything before it fails. Working code never takes this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A connection whose reads have a timeout.
#[must_use]
pub fn connect(address: &str) -> TcpStream {
    let connection = TcpStream::connect(address).expect("the program listens");
    connection.set_read_timeout(Some(PATIENCE)).expect("it may have a timeout");
    connection.set_nodelay(true).expect("it may send at once");
    connection
}

/// A signal to send to a program.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGKILL, which no program can handle.
    Kill,
}

/// An example to start.
#[derive(Debug)]
pub struct Program {
    command: Command,
}

impl Program {
    /// An example, by its name.
    ///
    /// # Panics
    ///
    /// If it is not built, or is older than its source.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let path = path_of(name);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let source = newest_source(&source).max(newest_source(&source.with_extension("rs")));
        // `cargo test` with a test's name, or with `--test`, does not rebuild the examples.
        assert!(
            modified(&path) >= source,
            "{} is older than its source; run `cargo build --examples` first",
            path.display()
        );
        Self::at(path)
    }

    /// A program that is not an example, by its path.
    #[must_use]
    pub fn at(path: impl AsRef<Path>) -> Self {
        let mut command = Command::new(path.as_ref());
        // Programs read only the variables that a test sets, not those of its environment.
        for name in ["RUST_LOG", "LISTEN", "DATABASE_URL", "QUEUE", "WORKERS", "CHECK_TIME", "LEASE"] {
            command.env_remove(name);
        }
        command.env("NO_COLOR", "1");
        Self { command }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it on a terminal of its own, and captures what it draws there. `None` if the system has no `script` to
    /// make one.
    #[must_use]
    pub fn on_a_terminal(self) -> Option<Self> {
        Command::new("script").arg("--version").output().ok()?;
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        let line: Vec<_> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
        let mut command = Command::new("script");
        command.args(["-qec", &line.join(" "), "/dev/null"]);
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Some(Self { command })
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(mut self) -> Running {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the example starts");
        let (sender, lines) = channel();
        listen(child.stdout.take().expect("it is a pipe"), Stream::Stdout, sender.clone());
        listen(child.stderr.take().expect("it is a pipe"), Stream::Stderr, sender);
        Running { child, lines, stdout: String::new(), stderr: String::new() }
    }
}

#[derive(Clone, Copy, Debug)]
enum Stream {
    Stdout,
    Stderr,
}

fn listen(pipe: impl Read + Send + 'static, stream: Stream, sender: Sender<(Stream, String)>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // The receiver is gone: the test has already failed.
            let _ = sender.send((stream, line));
        }
    });
}

/// Cargo builds examples into a folder beside that of the tests.
fn path_of(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().expect("a test knows where it is");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.join("examples").join(name)
}

/// When a file was modified; `None` if it does not exist.
fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// When a source file, or the newest one in a folder, was modified; `None` if there is none.
fn newest_source(path: &Path) -> Option<SystemTime> {
    match path.read_dir() {
        Ok(entries) => entries.filter_map(|entry| newest_source(&entry.ok()?.path())).max(),
        Err(_) => modified(path).filter(|_| path.extension().is_some_and(|extension| extension == "rs")),
    }
}

/// A running example. It is killed when the test that started it fails.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<(Stream, String)>,
    stdout: String,
    stderr: String,
}

impl Running {
    /// Waits for a line that contains `text`, and returns it.
    ///
    /// # Panics
    ///
    /// If there is no such line.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        let gives_up = Instant::now() + PATIENCE;
        loop {
            let Ok((stream, line)) = self.lines.recv_timeout(gives_up.saturating_duration_since(Instant::now())) else {
                panic!("no line contains {text:?}; the output was:\n{}{}", self.stdout, self.stderr);
            };
            self.see(stream, &line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits until the program logs the address that it listens on.
    ///
    /// # Panics
    ///
    /// If it does not log one.
    #[track_caller]
    pub fn address(&mut self) -> String {
        let line = self.wait_for("listening on ");
        let (_, after) = line.split_once("listening on ").expect("it was waited for");
        after.split([',', ' ']).next().unwrap_or(after).to_owned()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// If it has already ended.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let option = match signal {
            Signal::Interrupt => "-INT",
            Signal::Terminate => "-TERM",
            Signal::Kill => "-KILL",
        };
        let status = Command::new("kill").args([option, &self.child.id().to_string()]).status();
        let sent = status.expect("there is a `kill`").success();
        assert!(sent, "the program has already ended:\n{}{}", self.stdout, self.stderr);
    }

    /// Waits until the program has ended.
    ///
    /// # Panics
    ///
    /// If it does not end.
    #[track_caller]
    pub fn wait(mut self) -> Ended {
        let gives_up = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(gives_up.saturating_duration_since(Instant::now())) {
                Ok((stream, line)) => self.see(stream, &line),
                // The program has closed its output.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the program does not end; its output was:\n{}{}", self.stdout, self.stderr)
                }
            }
        }
        let status = self.child.wait().expect("it was started by this test");
        let (stdout, stderr) = (std::mem::take(&mut self.stdout), std::mem::take(&mut self.stderr));
        Ended { code: status.code(), stdout, stderr }
    }

    fn see(&mut self, stream: Stream, line: &str) {
        let seen = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        seen.push_str(line);
        seen.push('\n');
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // This fails if the program has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The exit code and output of an example.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ended {
    /// All that it wrote. Lines of canstop come last on its standard error if the log does not take them in time, as
    /// on a machine with much other work.
    fn written(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Returns true if it wrote these words to its log, or to its standard error.
    #[must_use]
    pub fn has_written(&self, words: &str) -> bool {
        self.written().contains(words)
    }

    /// The number that follows these words in the output.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    #[track_caller]
    pub fn number_after<T: FromStr>(&self, words: &str) -> T {
        let written = self.written();
        let number = written.split_once(words).and_then(|(_, after)| after.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no number follows {words:?}:\n{self}"))
    }

    /// Checks that the output contains these words, in this order.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    pub fn has_in_order(&self, words: &[&str]) {
        let written = self.written();
        let mut rest = &written[..];
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
