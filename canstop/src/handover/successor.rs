//! The new process, as the old one sees it.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};

use super::predecessor::VARIABLE;
use super::process::Process;
use super::program::Program;
use super::wire::{self, READY, SERVE};
use crate::listen::sockets_to_hand_over;
use crate::machine::{HandOverInput, Input};
use crate::session::Supervisor;

/// How long the new process may take to read what is sent to it.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// How often to look whether the new process has ended without closing its end of the stream.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a process that was killed may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// A new process that was started, or is about to be.
#[derive(Debug)]
pub(crate) struct Successor {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    attempt: u32,
    stream: UnixStream,
    /// Once it was spawned.
    process: OnceLock<Process>,
    is_killed: AtomicBool,
}

impl Successor {
    /// Starts the new process on a thread of its own, which reports what becomes of it.
    pub(crate) fn start(program: Program, attempt: u32, supervisor: &'static Supervisor) -> Option<Self> {
        let happened = move |input| supervisor.event(Input::HandOver(input));
        let started = (|| {
            let (stream, theirs) = UnixStream::pair()?;
            stream.set_write_timeout(Some(WRITE_LIMIT))?;
            stream.set_read_timeout(Some(LOOK_EVERY))?;
            let (process, is_killed) = (OnceLock::new(), AtomicBool::new(false));
            let shared = Arc::new(Shared { attempt, stream, process, is_killed });
            let successor = Self { shared: Arc::clone(&shared) };
            thread::Builder::new().name("canstop-handover".to_owned()).spawn(move || {
                match shared.watch(&program, theirs, |pid| happened(HandOverInput::Spawned { attempt, pid })) {
                    Ok(()) => happened(HandOverInput::SuccessorReady { attempt }),
                    Err(error) => happened(HandOverInput::SuccessorEnded { attempt, error }),
                }
            })?;
            io::Result::Ok(successor)
        })();
        match started {
            Ok(successor) => Some(successor),
            Err(error) => {
                let error = format!("the new process cannot be started: {error}");
                happened(HandOverInput::SuccessorEnded { attempt, error });
                None
            }
        }
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.shared.attempt
    }

    /// Ends the new process at once. The thread that watches it reports that it is gone.
    pub(crate) fn kill(&self) {
        self.shared.kill();
    }

    /// Lets the new process serve.
    pub(crate) fn serve(&self) {
        // A byte always fits. If the new process is gone, nothing can be done about it here any more.
        let _ = (&self.shared.stream).write_all(&[SERVE]);
    }
}

impl Shared {
    /// Starts the new process, sends it the sockets, and waits until it is ready.
    fn watch(&self, program: &Program, theirs: UnixStream, spawned: impl FnOnce(u32)) -> Result<(), String> {
        let path = program.path().display();
        let sockets = sockets_to_hand_over().map_err(|error| format!("the listeners cannot be passed on: {error}"))?;
        let pid = spawn(program.command(), theirs, &self.stream);
        let pid = pid.map_err(|error| format!("cannot start {path}: {error}"))?;
        let process = self.process.get_or_init(|| Process::open(pid));
        if self.is_killed.load(Ordering::SeqCst) {
            self.kill();
        }
        spawned(pid);
        let sent = wire::send(&self.stream, &sockets);
        drop(sockets);
        let why = match sent {
            Ok(()) if self.wait_until_ready(process) => return Ok(()),
            Err(error) if !process.has_ended() => format!("did not take the listeners ({error})"),
            _ => "ended before it was ready; what it has logged says why".to_owned(),
        };
        self.kill();
        let limit = Instant::now() + KILL_LIMIT;
        while !process.has_ended() && Instant::now() < limit {
            thread::sleep(Duration::from_millis(1));
        }
        Err(format!("the new process, {path} ({pid}), {why}"))
    }

    fn wait_until_ready(&self, process: &Process) -> bool {
        let mut byte = [0];
        loop {
            match (&self.stream).read(&mut byte) {
                Ok(1) if byte == [READY] => return true,
                Ok(_) => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    // A program that it has started may hold its end of the stream open.
                    if process.has_ended() {
                        return false;
                    }
                }
                Err(_) => return false,
            }
        }
    }

    fn kill(&self) {
        // SeqCst: either this finds the process, or the thread that has spawned it finds the flag.
        self.is_killed.store(true, Ordering::SeqCst);
        if let Some(process) = self.process.get() {
            process.kill();
        }
    }
}

/// Starts the new process with its end of the stream, and returns its pid.
///
/// The process between this one and the new one ends at once, so that the new one is a child of the process manager's,
/// or of the init process. systemd does not wait for the end of a main process that was another one's child when it
/// learned of it: a later `systemctl stop` would kill it in the middle of its grace.
#[expect(unsafe_code, reason = "std passes no other descriptors than the three standard streams, and leaves no parent")]
fn spawn(mut command: Command, theirs: UnixStream, ours: &UnixStream) -> io::Result<u32> {
    use std::os::fd::AsRawFd as _;

    command.env(VARIABLE, format!("{}:{}", theirs.as_raw_fd(), std::process::id()));
    let prepare = move || {
        // SAFETY: the process has a single thread, and what follows on either side is safe between fork and exec.
        match unsafe { libc::fork() } {
            -1 => return Err(io::Error::last_os_error()),
            0 => {}
            pid => {
                let sent = rustix::io::write(&theirs, &pid.to_ne_bytes());
                // SAFETY: it ends this process and nothing else.
                unsafe { libc::_exit(i32::from(sent.is_err())) }
            }
        }
        fcntl_setfd(&theirs, FdFlags::empty())?;
        // A signal that is meant for both processes must not end the new one before it has its handler.
        // SAFETY: a signal may be ignored at any time, and the call is safe between fork and exec.
        unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) };
        Ok(())
    };
    // SAFETY: the closure makes system calls that are safe between fork and exec, and allocates nothing.
    unsafe { command.pre_exec(prepare) };
    match command.spawn()?.wait() {
        Ok(between) if between.success() => {}
        Ok(between) => return Err(io::Error::other(format!("the process that forks it failed: {between}"))),
        // Where the parent has ignored SIGCHLD, nothing is left to wait for.
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => {}
        Err(error) => return Err(error),
    }
    let mut pid = [0; 4];
    (&*ours).read_exact(&mut pid)?;
    u32::try_from(i32::from_ne_bytes(pid)).map_err(io::Error::other)
}
