//! How programs are stopped on this platform: by SIGTERM on Unix, by Ctrl-Break on Windows.
//!
//! `.ci/compat` runs this for other platforms, where `PROBE_RUNNER` is the emulator that starts the program.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The grace of the program.
const GRACE: Duration = Duration::from_secs(1);
/// What a stop may take beyond the time that it needs. It is generous: an emulator starts threads slowly.
const SLACK: Duration = Duration::from_millis(1_500);
/// Closer stop requests than 100 ms are one.
const APART: Duration = Duration::from_millis(150);

#[test]
fn a_session_is_awaited_and_the_exit_is_clean() {
    let program = Program::start("ends");
    let ended = program.stop();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains(&"the session is done".to_owned()), "{ended:?}");
    assert!(ended.stderr.contains("0 abandoned, exit code 0"), "{ended:?}");
    assert!(ended.after < SLACK, "{ended:?}");
}

#[test]
fn a_blocked_worker_is_named_by_the_deadline() {
    let ended = Program::start("blocks").stop();
    assert_eq!(ended.code, 124, "{ended:?}");
    let spawned = format!("session at tests/platforms/src/main.rs:{}", line_of("spawn_session!(blocks())"));
    assert!(ended.stderr.replace('\\', "/").contains(&spawned), "{ended:?}");
    assert!(ended.stderr.contains("blocking a thread for"), "{ended:?}");
    assert!((GRACE..GRACE + SLACK).contains(&ended.after), "{ended:?}");
}

#[test]
fn a_second_signal_ends_the_program_at_once() {
    let mut program = Program::start("stays");
    program.request_stop();
    program.wait_for("STOPPING");
    thread::sleep(APART);
    let ended = program.stop();
    assert_eq!(ended.code, FORCED, "{ended:?}");
    assert!(ended.after < GRACE - APART, "the rest of the grace is not waited for: {ended:?}");
}

fn line_of(text: &str) -> usize {
    let mut lines = include_str!("../src/main.rs").lines();
    lines.position(|line| line.contains(text)).expect("it is in the program") + 1
}

struct Program {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    stderr: JoinHandle<String>,
}

#[derive(Debug)]
struct Ended {
    code: i32,
    /// Since the last stop request.
    after: Duration,
    stdout: Vec<String>,
    stderr: String,
}

impl Program {
    /// Starts it, and waits until it is ready.
    fn start(scenario: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_canstop-tests-platforms");
        let runner = std::env::var("PROBE_RUNNER").unwrap_or_default();
        let words: Vec<_> = runner.split_whitespace().chain([program, scenario]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdout(Stdio::piped()).stderr(Stdio::piped());
        platform::apart(&mut command);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {words:?}: {error}"));
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let stderr = child.stderr.take().expect("stderr is piped");
        let stderr = thread::spawn(move || std::io::read_to_string(stderr).expect("it writes text"));
        let mut program = Self { child, stdout, stderr };
        program.wait_for("READY");
        program
    }

    fn wait_for(&mut self, awaited: &str) {
        let mut line = String::new();
        while line.trim_end() != awaited {
            line.clear();
            let read = self.stdout.read_line(&mut line).expect("it writes text");
            assert!(read > 0, "the program has ended and not printed {awaited}");
        }
    }

    fn request_stop(&self) {
        platform::request_stop(&self.child);
    }

    /// Requests a stop, and waits for the exit.
    fn stop(mut self) -> Ended {
        let requested = Instant::now();
        self.request_stop();
        let stdout = self.stdout.lines().map(|line| line.expect("it writes text")).collect();
        let status = self.child.wait().expect("it can be waited for");
        let after = requested.elapsed();
        let stderr = self.stderr.join().expect("stderr is read to its end");
        Ended { code: status.code().expect("it exits by itself"), after, stdout, stderr }
    }
}

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

/// The exit code of a program that a second signal has ended.
#[cfg(unix)]
const FORCED: i32 = 128 + 15;
#[cfg(windows)]
const FORCED: i32 = 128 + 2;

#[cfg(unix)]
mod unix {
    use std::process::{Child, Command};

    use rustix::process::{Pid, Signal, kill_process};

    pub(super) fn apart(_: &mut Command) {}

    pub(super) fn request_stop(child: &Child) {
        kill_process(Pid::from_child(child), Signal::TERM).expect("it runs");
    }
}

#[cfg(windows)]
mod windows {
    use std::os::windows::process::CommandExt as _;
    use std::process::{Child, Command};

    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
    const CTRL_BREAK_EVENT: u32 = 1;

    /// A process group of its own, so that a console event reaches it and not the test.
    pub(super) fn apart(command: &mut Command) {
        command.creation_flags(CREATE_NEW_PROCESS_GROUP);
    }

    pub(super) fn request_stop(child: &Child) {
        #[link(name = "kernel32")]
        unsafe extern "system" {
            fn GenerateConsoleCtrlEvent(event: u32, group: u32) -> i32;
        }
        #[expect(unsafe_code, reason = "std sends no console event")]
        // SAFETY: it takes two numbers, and no pointer.
        let sent = unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, child.id()) };
        assert_ne!(sent, 0, "no console event can be sent: {}", std::io::Error::last_os_error());
    }
}
