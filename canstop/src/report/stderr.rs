//! Writing to stderr without waiting for its reader.
//!
//! A pipe may be full, and another thread may hold Rust's lock on stderr for ever. So a separate thread writes.
//! What it has not written at the end of the program is written past the lock.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
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

/// Writes to stderr without its lock, and waits at most `limit` for that. Returns true if it is written.
pub(super) fn write_past_lock(text: String, limit: Duration) -> bool {
    let (written, is_written) = mpsc::channel();
    let write = move || {
        let _ = duplicate().and_then(|mut stderr| stderr.write_all(text.as_bytes()));
        let _ = written.send(());
    };
    let started = thread::Builder::new().name("canstop-stderr".to_owned()).spawn(write);
    started.is_ok() && is_written.recv_timeout(limit).is_ok()
}

/// Stderr without its lock.
#[cfg(unix)]
fn duplicate() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stderr().as_fd().try_clone_to_owned()?))
}

/// Stderr without its lock.
#[cfg(windows)]
fn duplicate() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stderr().as_handle().try_clone_to_owned()?))
}
