//! A running probe.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};

use crate::{Finished, Stopwatch};

/// A probe that runs longer than this hangs: it is killed, and its test fails.
const HANGS_AFTER: Duration = Duration::from_secs(20);
/// The line that a probe prints when its test may go on.
pub const READY: &str = "READY";
/// How often to poll for the exit code of a probe that has closed its output.
const ASK_EVERY: Duration = Duration::from_millis(1);

/// A signal that a test may send to its probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `SIGINT`.
    Interrupt,
    /// `SIGTERM`.
    Terminate,
    /// `SIGHUP`.
    Hangup,
    /// `SIGSTOP`: the process does not run until it is continued.
    Stop,
    /// `SIGCONT`.
    Continue,
    /// `SIGUSR2`, which requests a hand-over.
    HandOver,
}

impl Signal {
    fn to_system(self) -> rustix::process::Signal {
        match self {
            Self::Interrupt => rustix::process::Signal::INT,
            Self::Terminate => rustix::process::Signal::TERM,
            Self::Hangup => rustix::process::Signal::HUP,
            Self::Stop => rustix::process::Signal::STOP,
            Self::Continue => rustix::process::Signal::CONT,
            Self::HandOver => rustix::process::Signal::USR2,
        }
    }

    /// Sends it to a process that a probe has started.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn send_to(self, pid: u32) {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, self.to_system()).expect("the process is there");
    }

    /// Sends it to the calling process, for a probe that needs it at a certain line.
    pub fn send_to_self(self) {
        kill_process(rustix::process::getpid(), self.to_system()).expect("a process may signal itself");
    }
}

/// Which of a probe's streams are read once it is ready. Until then its stdout is always read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Both streams are read to their ends.
    Listens,
    /// Stdout is read to its end, and stderr is closed from the beginning.
    HearsStdoutOnly,
    /// Both pipes are closed: a write to them fails.
    Leaves,
    /// Both pipes stay open and are not read: a write to a full pipe waits forever.
    Stares,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

impl Audience {
    /// Whether a stream is read until the probe is ready, and from then on.
    fn listens_to(self, stream: Stream) -> (bool, bool) {
        let is_stdout = stream == Stream::Stdout;
        match self {
            Self::Listens => (true, true),
            Self::HearsStdoutOnly => (is_stdout, is_stdout),
            Self::Leaves | Self::Stares => (is_stdout, false),
        }
    }
}

enum Seen {
    Line(Stream, String),
    /// A stream that is no longer read. Dropping this closes it.
    End(Box<dyn Read + Send>),
}

/// A process that a test has started. It is killed when dropped early.
pub struct Probe {
    child: Child,
    hangs_at: Instant,
    seen: Receiver<Seen>,
    audience: Audience,
    /// How many streams are still read.
    open_streams: usize,
    /// Streams that are open and not read.
    unread: Vec<Box<dyn Read + Send>>,
    stdout: Vec<String>,
    stderr: Vec<String>,
    /// How many lines of stdout a test has waited for.
    awaited: usize,
    first_signal: Option<Stopwatch>,
}

impl Probe {
    /// Starts a probe: `Probe::start(env!("CARGO_BIN_EXE_sessions"), &["endless"])`.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        Self::start_before(Audience::Listens, program, arguments)
    }

    /// As [`start`](Self::start), with another audience.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start_before(audience: Audience, program: &str, arguments: &[&str]) -> Self {
        Self::start_in(audience, program, arguments, &[])
    }

    /// As [`start_before`](Self::start_before), with these variables in its environment. It inherits no variable
    /// that changes a stop, neither settings nor those by which a platform is detected.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start_in(audience: Audience, program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if is_read_by_canstop(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        let child = command
            .args(arguments)
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        let (sender, seen) = mpsc::channel();
        let mut probe = Self {
            child,
            hangs_at: Instant::now() + HANGS_AFTER,
            seen,
            audience,
            open_streams: 0,
            unread: Vec::new(),
            stdout: Vec::new(),
            stderr: Vec::new(),
            awaited: 0,
            first_signal: None,
        };
        let stdout = probe.child.stdout.take().expect("stdout is piped");
        let stderr = probe.child.stderr.take().expect("stderr is piped");
        probe.read(Stream::Stdout, stdout, sender.clone());
        probe.read(Stream::Stderr, stderr, sender);
        probe
    }

    /// Lets it run for longer before it counts as hanging.
    #[must_use]
    pub fn patiently(mut self, limit: Duration) -> Self {
        self.hangs_at = Instant::now() + limit;
        self
    }

    fn read(&mut self, stream: Stream, from: impl Read + Send + 'static, to: Sender<Seen>) {
        self.open_streams += 1;
        let (until_ready, to_the_end) = self.audience.listens_to(stream);
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            let mut listens = until_ready;
            while listens && from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                listens = to_the_end || text != READY;
                if to.send(Seen::Line(stream, text)).is_err() {
                    return;
                }
                line.clear();
            }
            let _ = to.send(Seen::End(Box::new(from)));
        });
    }

    /// Waits until the probe prints this line, after the lines of earlier waits.
    ///
    /// # Panics
    ///
    /// If it ends without it, or hangs.
    pub fn wait_for_line(&mut self, line: &str) {
        self.wait_for(line, |printed| printed == line);
    }

    /// Waits for a line with this prefix, and returns the rest of it.
    ///
    /// # Panics
    ///
    /// If it ends without it, or hangs.
    pub fn wait_for_start(&mut self, start: &str) -> String {
        let line = self.wait_for(start, |printed| printed.starts_with(start));
        line[start.len()..].to_owned()
    }

    fn wait_for(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            while let Some(printed) = self.stdout.get(self.awaited) {
                self.awaited += 1;
                if is_it(printed) {
                    return printed.clone();
                }
            }
            if !self.see() {
                self.fail(&format!("it ended and never printed {what:?}"));
            }
        }
    }

    /// Writes a line to its input.
    ///
    /// # Panics
    ///
    /// If its input is closed.
    pub fn say(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("stdin is piped");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("the probe reads its input");
    }

    /// Its pid.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal. It has not been waited for, so its pid cannot have been reused.
    pub fn signal(&mut self, signal: Signal) {
        self.first_signal.get_or_insert_with(Stopwatch::start);
        kill_process(Pid::from_child(&self.child), signal.to_system()).expect("a child may be signalled");
    }

    /// Waits until a probe that serves is ready, and returns the address that it listens on.
    ///
    /// # Panics
    ///
    /// If it ends or hangs before.
    #[track_caller]
    pub fn wait_until_listening(&mut self) -> String {
        let address = self.wait_for_start("listening on ");
        self.wait_for_line(READY);
        address
    }

    /// Sends it SIGTERM, and waits until it ends.
    ///
    /// # Panics
    ///
    /// If it hangs.
    #[must_use]
    #[track_caller]
    pub fn terminate(mut self) -> Finished {
        self.signal(Signal::Terminate);
        self.finish()
    }

    /// Waits until it ends.
    ///
    /// # Panics
    ///
    /// If it hangs.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        while self.see() {}
        let status = loop {
            match self.child.try_wait().expect("a child may be waited for") {
                Some(status) => break status,
                None if Instant::now() >= self.hangs_at => self.fail("it has closed its output and hangs"),
                None => thread::sleep(ASK_EVERY),
            }
        };
        let after_signal = self.first_signal.map(|first| first.took());
        let (stdout, stderr) = (std::mem::take(&mut self.stdout), std::mem::take(&mut self.stderr));
        Finished { code: status.code(), stdout, stderr, after_signal }
    }

    /// Receives the next line of output; `false` when both streams have ended.
    fn see(&mut self) -> bool {
        if self.open_streams == 0 {
            return false;
        }
        match self.seen.recv_timeout(self.hangs_at.saturating_duration_since(Instant::now())) {
            Ok(Seen::Line(Stream::Stdout, line)) => self.stdout.push(line),
            Ok(Seen::Line(Stream::Stderr, line)) => self.stderr.push(line),
            Ok(Seen::End(stream)) => {
                self.open_streams -= 1;
                if self.audience == Audience::Stares {
                    self.unread.push(stream);
                }
            }
            Err(RecvTimeoutError::Timeout) => self.fail("it hangs"),
            Err(RecvTimeoutError::Disconnected) => self.fail("its output can no longer be read"),
        }
        self.open_streams > 0
    }

    fn fail(&mut self, what: &str) -> ! {
        let _ = self.child.kill();
        let (stdout, stderr) = (self.stdout.join("\n"), self.stderr.join("\n"));
        panic!("{what}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
    }
}

/// Returns true if a variable changes how a program stops or which manager it notifies.
fn is_read_by_canstop(name: &str) -> bool {
    const FOREIGN: [&str; 10] = [
        "ECS_CONTAINER_METADATA_URI_V4",
        "FLY_APP_NAME",
        "KUBERNETES_SERVICE_HOST",
        "LISTEN_FDNAMES",
        "LISTEN_FDS",
        "LISTEN_PID",
        "NOMAD_ALLOC_ID",
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
    ];
    name.starts_with("CANSTOP_") || FOREIGN.contains(&name)
}

impl Drop for Probe {
    fn drop(&mut self) {
        // std never signals a child that was waited for, so this cannot hit another process.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
