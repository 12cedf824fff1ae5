//! The new process, as the old one sees it.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};

use super::predecessor::VARIABLE;
use super::program::Program;
use super::wire::{self, READY, SERVE};
use crate::listen::sockets_to_hand_over;
use crate::machine::{HandOverInput, Input};
use crate::session::Supervisor;

/// How long the new process may take to read what is sent to it.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// How often to look whether the new process has ended without closing its end of the stream.
const LOOK_EVERY: Duration = Duration::from_millis(250);

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
    child: Mutex<Option<Child>>,
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
            let (child, is_killed) = (Mutex::new(None), AtomicBool::new(false));
            let shared = Arc::new(Shared { attempt, stream, child, is_killed });
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
        let child = spawn(program.command(), theirs).map_err(|error| format!("cannot start {path}: {error}"))?;
        let pid = child.id();
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        if self.is_killed.load(Ordering::SeqCst) {
            self.kill();
        }
        spawned(pid);
        let sent = wire::send(&self.stream, &sockets);
        drop(sockets);
        let why = match sent {
            Ok(()) if self.wait_until_ready() => return Ok(()),
            Ok(()) => "it ended before it was ready".to_owned(),
            Err(error) => format!("it did not take the listeners ({error})"),
        };
        self.kill();
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.as_mut().map(Child::wait);
        let status = status.and_then(Result::ok).map_or_else(|| "unknown".to_owned(), |status| status.to_string());
        Err(format!("the new process, {path} ({pid}): {why}, {status}"))
    }

    fn wait_until_ready(&self) -> bool {
        let mut byte = [0];
        loop {
            match (&self.stream).read(&mut byte) {
                Ok(1) if byte == [READY] => return true,
                Ok(_) => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if self.is_killed.load(Ordering::SeqCst) {
                        return false;
                    }
                    // A program that it has started may hold its end of the stream open.
                    let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
                    if child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None))) {
                        return false;
                    }
                }
                Err(_) => return false,
            }
        }
    }

    fn kill(&self) {
        // SeqCst: either this finds the child, or the thread that spawned it finds the flag.
        self.is_killed.store(true, Ordering::SeqCst);
        let mut child = match self.child.try_lock() {
            Ok(child) => child,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            // The thread that watches it has just found it ended, or is about to see the flag.
            Err(TryLockError::WouldBlock) => return,
        };
        if let Some(child) = child.as_mut() {
            // It fails if the process has ended and was waited for.
            let _ = child.kill();
        }
    }
}

/// Starts the new process with its end of the stream.
#[expect(unsafe_code, reason = "std passes no other descriptors than the three standard streams")]
fn spawn(mut command: Command, theirs: UnixStream) -> io::Result<Child> {
    use std::os::fd::AsRawFd as _;

    command.env(VARIABLE, format!("{}:{}", theirs.as_raw_fd(), std::process::id()));
    let prepare = move || {
        fcntl_setfd(&theirs, FdFlags::empty())?;
        // A signal that is meant for both processes must not end the new one before it has its handler.
        // SAFETY: a signal may be ignored at any time, and the call is safe between fork and exec.
        unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) };
        Ok(())
    };
    // SAFETY: the closure makes two system calls, which are safe between fork and exec, and allocates nothing.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}
