//! Writing to stderr without waiting for its reader.
//!
//! A pipe may be full, and another thread may hold Rust's lock on stderr for ever. So a separate thread writes.
//! What it has not written at the end of the program is written past the lock.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How many lines may wait. Beyond that, the oldest are dropped and counted.
const LINES: usize = 1_024;

/// The lines that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Stderr {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<String>,
    lost: u64,
    /// The thread is writing, which may take for ever.
    is_writing: bool,
    has_thread: bool,
}

impl Queue {
    fn is_written(&self) -> bool {
        self.lines.is_empty() && !self.is_writing
    }

    /// Everything that waits, as one text.
    fn take(&mut self) -> String {
        let mut text = String::new();
        if let lost @ 1.. = std::mem::take(&mut self.lost) {
            text.push_str(&format!("canstop: {lost} lines are missing here: stderr was not read fast enough\n"));
        }
        text.extend(self.lines.drain(..));
        text
    }
}

impl Stderr {
    /// The one of this process, as there is one stderr.
    pub(super) fn of_process() -> &'static Arc<Self> {
        static STDERR: OnceLock<Arc<Stderr>> = OnceLock::new();
        STDERR.get_or_init(Arc::default)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a line.
    pub(super) fn write(self: &Arc<Self>, line: String) {
        let mut queue = self.lock();
        if queue.lines.len() == LINES {
            queue.lines.pop_front();
            queue.lost += 1;
        }
        queue.lines.push_back(line);
        if !queue.has_thread {
            queue.has_thread = self.start_thread();
        }
        if queue.has_thread {
            self.changed.notify_all();
        } else {
            // The system has no thread left. A line that may block is better than none.
            let text = queue.take();
            drop(queue);
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }

    fn start_thread(self: &Arc<Self>) -> bool {
        let stderr = Arc::clone(self);
        thread::Builder::new().name("canstop-stderr".to_owned()).spawn(move || stderr.write_lines()).is_ok()
    }

    fn write_lines(&self) {
        let mut queue = self.lock();
        loop {
            queue.is_writing = false;
            self.changed.notify_all();
            while queue.lines.is_empty() {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            queue.is_writing = true;
            let text = queue.take();
            drop(queue);
            // In one piece, so that output of other threads does not split it. An error, such as a closed pipe,
            // cannot be reported anywhere.
            let _ = io::stderr().write_all(text.as_bytes());
            queue = self.lock();
        }
    }

    /// Waits until everything is written, at most until `deadline`. Returns true if it is.
    pub(super) fn flush(&self, deadline: Instant) -> bool {
        let mut queue = self.lock();
        while !queue.is_written() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = self.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Takes the lines that still wait, for [`write_past_lock`].
    pub(super) fn take_waiting(&self) -> String {
        self.lock().take()
    }
}

/// Writes to stderr without Rust's lock on it, which a stuck thread may hold, and on this thread, because a busy
/// machine may not run another one in time. Waits at most `limit` for the reader. Returns false if some of it is not
/// written, and true if stderr has no reader.
#[cfg(unix)]
pub(crate) fn write_past_lock(text: &[u8], limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut left = text;
    while !left.is_empty() {
        let waits = deadline.saturating_duration_since(Instant::now());
        // A pipe that is writable at all takes this much at once.
        match write_part(&left[..left.len().min(libc::PIPE_BUF)], waits) {
            Ok(0) => return true,
            Ok(written) => left = &left[written..],
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock if !waits.is_zero() => {}
                io::ErrorKind::WouldBlock => return false,
                _ => return true,
            },
        }
    }
    true
}

/// Writes some of a text once stderr takes it.
///
/// # Errors
///
/// `WouldBlock` if it takes nothing for so long; otherwise it has no reader.
#[cfg(unix)]
#[expect(unsafe_code, reason = "std's handle of stderr has a lock, and cannot be asked whether it would block")]
fn write_part(text: &[u8], waits: Duration) -> io::Result<usize> {
    let mut stderr = libc::pollfd { fd: libc::STDERR_FILENO, events: libc::POLLOUT, revents: 0 };
    let waits = libc::c_int::try_from(waits.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the pointers and lengths are those of a local and of a slice that outlives the calls, and each
    // call may be given any file descriptor.
    unsafe {
        match libc::poll(&mut stderr, 1, waits) {
            0 => return Err(io::ErrorKind::WouldBlock.into()),
            1 => {}
            _ => return Err(io::Error::last_os_error()),
        }
        // A socket may be writable and have less room than this.
        let sent = libc::send(libc::STDERR_FILENO, text.as_ptr().cast(), text.len(), libc::MSG_DONTWAIT);
        if let Ok(sent) = usize::try_from(sent) {
            return Ok(sent);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ENOTSOCK) {
            return Err(error);
        }
        let written = libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len());
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }
}

/// Writes to stderr without Rust's lock on it, which a stuck thread may hold, and waits at most `limit` for that.
/// Returns true if it is written.
#[cfg(windows)]
pub(crate) fn write_past_lock(text: &[u8], limit: Duration) -> bool {
    use std::os::windows::io::AsHandle;
    let text = text.to_vec();
    let (written, is_written) = std::sync::mpsc::channel();
    let write = move || {
        let duplicate = io::stderr().as_handle().try_clone_to_owned();
        let _ = duplicate.and_then(|stderr| std::fs::File::from(stderr).write_all(&text));
        let _ = written.send(());
    };
    let started = thread::Builder::new().name("canstop-stderr".to_owned()).spawn(write);
    started.is_ok() && is_written.recv_timeout(limit).is_ok()
}
