//! Runs user code that the control plane causes but must not run itself: wakers, and destructors of values that
//! it drops.
//!
//! A job runs on the data plane or on the report thread, whichever is free first. Both are asked, so a job waits
//! only while every worker and the report thread are blocked. Jobs begin in the order in which they were queued.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::data_plane::DataPlane;
use crate::failure::catch;
use crate::machine::Event;
use crate::report::ReportThread;

type Job = Box<dyn FnOnce() + Send>;

/// How many jobs a worker runs before it yields to other tasks.
const JOBS_PER_TURN: usize = 64;

/// The places of one supervisor where user code runs, and the jobs that wait for them.
#[derive(Default)]
pub(crate) struct OffControl {
    data_plane: DataPlane,
    report_thread: OnceLock<ReportThread>,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    jobs: VecDeque<Job>,
    /// The data plane was asked for a turn and has not begun it.
    data_plane_asked: bool,
    /// The report thread was asked for a turn and has not begun it.
    report_thread_asked: bool,
}

#[derive(Clone, Copy)]
enum Place {
    DataPlane,
    ReportThread,
}

impl OffControl {
    pub(super) fn data_plane(&self) -> &DataPlane {
        &self.data_plane
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs at most `limit` jobs, and returns true if there are more.
    fn run_jobs(&self, place: Place, limit: usize) -> bool {
        {
            // A job may block for ever: from here on another turn may be asked for.
            let mut pending = self.lock();
            match place {
                Place::DataPlane => pending.data_plane_asked = false,
                Place::ReportThread => pending.report_thread_asked = false,
            }
        }
        for _ in 0..limit {
            let Some(job) = self.lock().jobs.pop_front() else { return false };
            let _ = catch(job);
        }
        !self.lock().jobs.is_empty()
    }

    /// Runs a job of user code on the data plane or the report thread, never on the calling thread. Its panic is
    /// caught.
    ///
    /// Where there is neither, as in unit tests, the calling thread runs it.
    pub(super) fn run(&'static self, job: impl FnOnce() + Send + 'static) {
        if self.data_plane.handle().is_none() && self.report_thread.get().is_none() {
            let _ = catch(job);
            return;
        }
        self.lock().jobs.push_back(Box::new(job));
        self.ask_for_turns();
    }

    /// Lets this thread run jobs too.
    pub(super) fn attach_report_thread(&'static self, report_thread: ReportThread) {
        let _ = self.report_thread.set(report_thread);
        self.ask_for_turns();
    }

    /// Calls this for every event from now on.
    pub(super) fn observe(&self, observer: impl FnMut(&Event) + Send + 'static) {
        // The report thread starts before `main`.
        if let Some(report_thread) = self.report_thread.get() {
            report_thread.observe(observer);
        }
    }

    /// Asks for turns while jobs are queued. Called regularly, it runs jobs that are queued behind two others
    /// that block for ever.
    pub(super) fn ask_for_turns(&'static self) {
        let (data_plane, report_thread) = (self.data_plane.handle(), self.report_thread.get());
        let (ask_data_plane, ask_report_thread) = {
            let mut pending = self.lock();
            if pending.jobs.is_empty() {
                return;
            }
            (
                data_plane.is_some() && !std::mem::replace(&mut pending.data_plane_asked, true),
                report_thread.is_some() && !std::mem::replace(&mut pending.report_thread_asked, true),
            )
        };
        if let (true, Some(data_plane)) = (ask_data_plane, data_plane) {
            data_plane.spawn(async {
                while self.run_jobs(Place::DataPlane, JOBS_PER_TURN) {
                    tokio::task::yield_now().await;
                }
            });
        }
        if let (true, Some(report_thread)) = (ask_report_thread, report_thread) {
            report_thread.run(move || {
                self.run_jobs(Place::ReportThread, usize::MAX);
            });
        }
    }
}

impl fmt::Debug for OffControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OffControl").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::{self, ThreadId};

    use tokio::runtime::Builder;

    use super::*;
    use crate::report::Reporter;
    use crate::settings::LogLevel;

    fn off_control() -> &'static OffControl {
        Box::leak(Box::default())
    }

    /// Runs a job that blocks until the sender is dropped, and returns where it runs.
    fn block(off_control: &'static OffControl) -> (ThreadId, mpsc::Sender<()>) {
        let (begun, runs_on) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        off_control.run(move || {
            begun.send(thread::current().id()).unwrap();
            let _ = held.recv();
        });
        (runs_on.recv().unwrap(), release)
    }

    #[test]
    fn a_job_runs_beside_one_that_blocks() {
        let off_control = off_control();
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        off_control.data_plane.attach(runtime.handle());
        let reporter = Reporter::start(LogLevel::default()).unwrap();
        off_control.attach_report_thread(reporter.thread());
        let (first, release_first) = block(off_control);
        let (second, release_second) = block(off_control);
        assert!(first != second && ![first, second].contains(&thread::current().id()));
        drop((release_first, release_second));
    }

    #[test]
    fn a_job_that_panics_does_not_stop_the_next_one() {
        let off_control = off_control();
        let reporter = Reporter::start(LogLevel::default()).unwrap();
        off_control.attach_report_thread(reporter.thread());
        off_control.run(|| panic!("a waker panics"));
        drop(block(off_control));
    }
}
