//! The report thread, which runs subscribers and the callbacks of observers.
//!
//! A subscriber is user code: it may panic, wait for a lock that a stuck worker holds, or write into a
//! full pipe. So the control plane queues events and never waits for them without a limit. The queue is
//! bounded: a stalled log costs its own lines only.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::emit::{Emitted, emit, emit_in_test};
use super::quiet::Quiet;
use super::stderr::{Stderr, write_past_lock};
use crate::failure::catch;
use crate::machine::Event;
use crate::settings::LogLevel;

/// How many events may wait for a slow subscriber. Beyond that, some are dropped and counted.
const EVENTS: usize = 1_024;

/// How long a write to stderr past its lock may take.
const PAST_LOCK_LIMIT: Duration = Duration::from_millis(30);

type Job = Box<dyn FnOnce() + Send>;
type Observer = Box<dyn FnMut(&Event) + Send>;

/// The control plane's handle of the report thread.
#[derive(Debug)]
pub(crate) struct Reporter {
    thread: ReportThread,
}

/// Where work for the report thread is queued. In a test, which has no such thread, it runs at once.
#[derive(Clone, Debug)]
pub(crate) struct ReportThread(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    /// Notified when something was queued or done.
    changed: Condvar,
    /// Locked only while an event is reported.
    observers: Mutex<Vec<Observer>>,
    /// A test has no report thread, since it has no deadline: everything is done at once.
    inline: bool,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<(Event, bool)>,
    /// How many events were dropped since that was last reported.
    lost: u64,
    jobs: VecDeque<Job>,
    added_observers: Vec<Observer>,
    /// The thread is reporting an event, which may take for ever.
    is_reporting: bool,
    /// No more events come. The thread ends when it has done what is queued.
    is_closed: bool,
    /// The thread has ended.
    has_ended: bool,
}

impl Queue {
    /// Makes room by dropping what matters least: the oldest failure of a session, since those come in
    /// floods, or else the oldest event.
    fn push(&mut self, event: Event, urgent: bool) {
        if self.events.len() == EVENTS {
            let is_failure = |(event, _): &(Event, bool)| matches!(event, Event::SessionFailed { .. });
            let least = self.events.iter().position(is_failure).unwrap_or(0);
            self.events.remove(least);
            self.lost += 1;
        }
        self.events.push_back((event, urgent));
    }

    /// The next event to report. If some were dropped, that is reported first.
    fn pop(&mut self) -> Option<(Event, bool)> {
        match std::mem::take(&mut self.lost) {
            0 => self.events.pop_front(),
            count => Some((Event::Missed { count }, false)),
        }
    }

    fn is_reported(&self) -> bool {
        self.events.is_empty() && self.lost == 0 && !self.is_reporting
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a job and an event in turn, so that neither delays the other. Returns once the queue is closed
    /// and empty.
    fn work(&self, log: LogLevel) {
        let mut quiet = Quiet::new(log);
        let mut subscriber = Subscriber::default();
        loop {
            let (job, event) = {
                let mut queue = self.lock();
                queue.is_reporting = false;
                self.changed.notify_all();
                loop {
                    let (job, event) = (queue.jobs.pop_front(), queue.pop());
                    if job.is_some() || event.is_some() {
                        queue.is_reporting = event.is_some();
                        break (job, event);
                    }
                    if queue.is_closed {
                        queue.has_ended = true;
                        drop(queue);
                        return self.drop_observers();
                    }
                    queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
            };
            if let Some((event, urgent)) = event {
                subscriber.report(&event, urgent, &mut quiet);
                self.notify_observers(&event);
            }
            if let Some(job) = job {
                let _ = catch(job);
            }
        }
    }

    /// Drops the callbacks here: what they own is user code as well.
    fn drop_observers(&self) {
        let added = std::mem::take(&mut self.lock().added_observers);
        let observers = std::mem::take(&mut *self.observers.lock().unwrap_or_else(PoisonError::into_inner));
        for observer in observers.into_iter().chain(added) {
            let _ = catch(|| drop(observer));
        }
    }

    fn notify_observers(&self, event: &Event) {
        // Not under the lock of the queue, since a callback may add another one.
        let mut observers = self.observers.lock().unwrap_or_else(PoisonError::into_inner);
        observers.append(&mut self.lock().added_observers);
        // A callback that panicked may be inconsistent, so it is not called again.
        observers.retain_mut(|observer| match catch(|| observer(event)) {
            Ok(()) => true,
            Err(panic) => {
                let line =
                    format!("canstop: a callback of `canstop::observe` panicked and is not called again: {panic}\n");
                Stderr::of_process().write(line);
                false
            }
        });
    }
}

/// The state of the program's subscriber.
#[derive(Default)]
struct Subscriber {
    has_panicked: bool,
}

impl Subscriber {
    /// Reports to the subscriber, and to stderr if there is none, if it panics, or if the event is urgent.
    fn report(&mut self, event: &Event, urgent: bool, quiet: &mut Quiet) {
        let emitted = emit(event);
        if let Emitted::Panicked(panic) = &emitted
            && !std::mem::replace(&mut self.has_panicked, true)
        {
            let line = format!("canstop: the tracing subscriber panicked, and this is its first panic: {panic}\n");
            Stderr::of_process().write(line);
        }
        let lines = quiet.lines(event);
        if urgent || !matches!(emitted, Emitted::Subscribed) {
            lines.into_iter().for_each(|line| Stderr::of_process().write(line));
        }
    }
}

impl Reporter {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Fails if the system has no thread left.
    pub(crate) fn start(log: LogLevel) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(false));
        let thread = ReportThread(Arc::clone(&shared));
        thread::Builder::new().name("canstop-report".to_owned()).spawn(move || shared.work(log))?;
        Ok(Self { thread })
    }

    /// Creates a reporter for tests, which reports on the calling thread.
    #[cfg(feature = "testing")]
    pub(crate) fn of_test() -> Self {
        Self { thread: ReportThread(Arc::new(Shared::new(true))) }
    }

    /// Returns a handle that queues work for the thread.
    pub(crate) fn thread(&self) -> ReportThread {
        self.thread.clone()
    }

    /// Queues an event.
    pub(crate) fn report(&self, event: Event) {
        self.queue(event, false);
    }

    /// Queues an event that goes to stderr as well, whatever the subscriber does.
    pub(crate) fn report_urgently(&self, event: Event) {
        self.queue(event, true);
    }

    fn queue(&self, event: Event, urgent: bool) {
        let shared = &*self.thread.0;
        if shared.inline {
            emit_in_test(&event);
            shared.notify_observers(&event);
            return;
        }
        shared.lock().push(event, urgent);
        shared.changed.notify_all();
    }

    /// Writes a line to stderr after the last line was reported. It is not an event and not logged.
    pub(crate) fn write_after_last_line(&self, line: &str) {
        let _ = write_past_lock(format!("canstop: {line}\n").as_bytes(), PAST_LOCK_LIMIT);
    }

    /// Waits until everything is reported, at most `limit`. Returns true if the subscriber and the callbacks
    /// have got all of it. A stderr without a reader costs its own lines only.
    pub(crate) fn flush(&self, limit: Duration) -> bool {
        if self.thread.0.inline {
            return true;
        }
        let deadline = Instant::now() + limit;
        let is_reported = self.wait_until_reported(deadline);
        let stderr = Stderr::of_process();
        if !stderr.flush(deadline) {
            let _ = write_past_lock(stderr.take_waiting().as_bytes(), PAST_LOCK_LIMIT);
        }
        is_reported
    }

    fn wait_until_reported(&self, deadline: Instant) -> bool {
        let shared = &*self.thread.0;
        let mut queue = shared.lock();
        while !queue.is_reported() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = shared.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Writes to stderr what a stalled subscriber has not taken, and waits a moment for that. Returns true if it is
    /// written.
    pub(crate) fn write_past_subscriber(&self, text: &str) -> bool {
        let lost = self.thread.0.lock().lost;
        let mut lines: String = text.lines().map(|line| format!("canstop: {line}\n")).collect();
        if lost > 0 {
            lines.insert_str(0, &format!("canstop: {}\n", Event::Missed { count: lost }));
        }
        write_past_lock(lines.as_bytes(), PAST_LOCK_LIMIT)
    }
}

/// Ends the report thread with the control plane.
impl Drop for Reporter {
    fn drop(&mut self) {
        self.thread.0.lock().is_closed = true;
        self.thread.0.changed.notify_all();
    }
}

impl ReportThread {
    /// Runs a job on the report thread. After the end of that thread the control plane has ended as well, so the
    /// caller is not the control thread and runs the job itself.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        let mut queue = self.0.lock();
        if self.0.inline || queue.has_ended {
            drop(queue);
            let _ = catch(job);
            return;
        }
        queue.jobs.push_back(Box::new(job));
        drop(queue);
        self.0.changed.notify_all();
    }

    /// Calls a function for every event from now on.
    pub(crate) fn observe(&self, observer: impl FnMut(&Event) + Send + 'static) {
        self.0.lock().added_observers.push(Box::new(observer));
    }
}

impl Shared {
    fn new(inline: bool) -> Self {
        Self { queue: Mutex::default(), changed: Condvar::new(), observers: Mutex::default(), inline }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
