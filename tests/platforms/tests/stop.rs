//! How programs are stopped on this platform: by SIGTERM on Unix, by the events of a console on Windows.
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
    platform::send(platform::USUAL, &program.child);
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
        Self::start_with(scenario, [])
    }

    fn start_with<const N: usize>(scenario: &str, variables: [(&str, &str); N]) -> Self {
        let program = env!("CARGO_BIN_EXE_canstop-tests-platforms");
        let runner = std::env::var("PROBE_RUNNER").unwrap_or_default();
        let words: Vec<_> = runner.split_whitespace().chain([program, scenario]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).envs(variables).stdout(Stdio::piped()).stderr(Stdio::piped());
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

    /// Requests a stop, and waits for the exit.
    fn stop(self) -> Ended {
        self.stop_by(platform::USUAL)
    }

    fn stop_by(mut self, request: platform::Request) -> Ended {
        let requested = Instant::now();
        platform::send(request, &self.child);
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
    use std::process::Child;

    use rustix::process::{Pid, kill_process};

    pub(super) type Request = rustix::process::Signal;

    pub(super) const USUAL: Request = Request::TERM;

    pub(super) fn send(signal: Request, child: &Child) {
        kill_process(Pid::from_child(child), signal).expect("it runs");
    }
}

#[cfg(windows)]
mod windows {
    use std::ffi::{CStr, c_void};
    use std::io;
    use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle, RawHandle};
    use std::process::Child;
    use std::time::Duration;

    use super::{GRACE, Program, SLACK};

    /// The events of a console, with the numbers that Windows gives them.
    #[derive(Clone, Copy)]
    pub(super) enum Request {
        CtrlC = 0,
        CtrlBreak = 1,
        Close = 2,
        Logoff = 5,
        Shutdown = 6,
    }

    pub(super) const USUAL: Request = Request::CtrlBreak;

    /// Sends an event as the console does: by a new thread of the program in `CtrlRoutine`, which runs its handlers. A
    /// call of `GenerateConsoleCtrlEvent` would reach the test too, and sends no more than the first two.
    pub(super) fn send(event: Request, child: &Child) {
        type Routine = unsafe extern "system" fn(*mut c_void) -> u32;
        #[expect(unsafe_code, reason = "std sends no console event")]
        #[link(name = "kernel32")]
        unsafe extern "system" {
            fn GetModuleHandleA(name: *const i8) -> *mut c_void;
            fn GetProcAddress(module: *mut c_void, name: *const i8) -> Option<Routine>;
            fn CreateRemoteThread(
                process: RawHandle,
                attributes: *const c_void,
                stack: usize,
                start: Routine,
                argument: *mut c_void,
                flags: u32,
                id: *mut u32,
            ) -> RawHandle;
        }
        const MODULE: &CStr = c"kernelbase.dll";
        const ROUTINE: &CStr = c"CtrlRoutine";

        #[expect(unsafe_code, reason = "std sends no console event")]
        // SAFETY: both names end with a zero, and the module is one that every process keeps.
        let routine = unsafe { GetProcAddress(GetModuleHandleA(MODULE.as_ptr()), ROUTINE.as_ptr()) };
        let routine = routine.expect("every Windows has it");
        let (none, argument) = (std::ptr::null_mut(), std::ptr::without_provenance_mut(event as usize));
        #[expect(unsafe_code, reason = "std sends no console event")]
        // SAFETY: the handle is that of a child, which has this module at the same address as every process. The routine
        // takes a number.
        let thread =
            unsafe { CreateRemoteThread(child.as_raw_handle(), none, 0, routine, argument, 0, std::ptr::null_mut()) };
        assert!(!thread.is_null(), "no event can be sent: {}", io::Error::last_os_error());
        #[expect(unsafe_code, reason = "std starts no thread in another process")]
        // SAFETY: the handle is new, and nothing else owns it.
        drop(unsafe { OwnedHandle::from_raw_handle(thread) });
    }

    #[test]
    fn every_event_of_the_console_stops_cleanly() {
        let interrupts = [Request::CtrlC, Request::CtrlBreak].map(|event| (event, "SIGINT"));
        let terminations = [Request::Close, Request::Logoff, Request::Shutdown].map(|event| (event, "SIGTERM"));
        for (event, signal) in interrupts.into_iter().chain(terminations) {
            let ended = Program::start("ends").stop_by(event);
            assert_eq!(ended.code, 0, "{ended:?}");
            assert!(ended.stdout.contains(&"the session is done".to_owned()), "{ended:?}");
            assert!(ended.stderr.contains(signal), "{ended:?}");
        }
    }

    #[test]
    fn the_end_of_the_console_forces_a_stop_in_progress() {
        let mut program = Program::start("stays");
        send(Request::CtrlBreak, &program.child);
        program.wait_for("STOPPING");
        std::thread::sleep(super::APART);
        let ended = program.stop_by(Request::Close);
        assert_eq!(ended.code, 128 + 15, "{ended:?}");
    }

    #[test]
    fn only_ctrl_c_skips_the_drain_delay() {
        const DELAY: Duration = Duration::from_secs(8);
        let variables = [("CANSTOP_GRACE", "20s"), ("CANSTOP_DRAIN_DELAY", "8s")];
        let ended = Program::start_with("ends", variables).stop_by(Request::CtrlC);
        assert!(ended.code == 0 && ended.after < DELAY, "{ended:?}");
        let ended = Program::start_with("ends", variables).stop_by(Request::CtrlBreak);
        assert!(ended.code == 0 && (DELAY..DELAY + GRACE + SLACK).contains(&ended.after), "{ended:?}");
    }
}
