//! Runs user code that the control plane causes but must not run itself: wakers, and destructors of
//! what it let go of.
//!
//! A job runs on the data plane or on the report thread, whichever is free first. Both are asked, so a
//! job waits only while every worker and the report thread are blocked. Jobs begin in the order in which
//! they were queued.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::supervisor::Supervisor;
use crate::failure::catch;
use crate::machine::Event;
use crate::report::ReportThread;

type Job = Box<dyn FnOnce() + Send>;

/// As many jobs as a worker runs before it lets other tasks have their turn.
const JOBS_PER_TURN: usize = 64;

/// The jobs of one supervisor.
#[derive(Default)]
pub(super) struct OffControl {
    pending: Mutex<Pending>,
    report_thread: OnceLock<ReportThread>,
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
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs at most `limit` jobs, and returns true if there are more.
    fn run(&self, place: Place, limit: usize) -> bool {
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
}

impl Supervisor {
    /// Runs a job of user code on the data plane or the report thread, never on the thread that calls
    /// this. Its panic is caught.
    ///
    /// A supervisor that has neither, as in unit tests, runs it at once.
    pub(crate) fn run_off_control(&'static self, job: impl FnOnce() + Send + 'static) {
        if self.data_plane().is_none() && self.off_control().report_thread.get().is_none() {
            let _ = catch(job);
            return;
        }
        self.off_control().lock().jobs.push_back(Box::new(job));
        self.ask_for_turns();
    }

    /// Lets this thread run jobs too.
    pub(crate) fn attach_report_thread(&'static self, report_thread: ReportThread) {
        let _ = self.off_control().report_thread.set(report_thread);
        self.ask_for_turns();
    }

    /// Calls this for every event from now on.
    pub(crate) fn observe(&self, observer: impl FnMut(&Event) + Send + 'static) {
        // There is one from before the first line of `main` on.
        if let Some(report_thread) = self.off_control().report_thread.get() {
            report_thread.observe(observer);
        }
    }

    /// Asks for turns while jobs are queued. Called now and then, it gets jobs done that stand behind
    /// two others that block for ever.
    pub(crate) fn ask_for_turns(&'static self) {
        let off_control = self.off_control();
        let (data_plane, report_thread) = (self.data_plane(), off_control.report_thread.get());
        let (ask_data_plane, ask_report_thread) = {
            let mut pending = off_control.lock();
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
                while self.off_control().run(Place::DataPlane, JOBS_PER_TURN) {
                    tokio::task::yield_now().await;
                }
            });
        }
        if let (true, Some(report_thread)) = (ask_report_thread, report_thread) {
            report_thread.run(move || {
                self.off_control().run(Place::ReportThread, usize::MAX);
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

    /// Runs a job that blocks until it is let go, and returns where it runs.
    fn block(supervisor: &'static Supervisor) -> (ThreadId, mpsc::Sender<()>) {
        let (begun, runs_on) = mpsc::channel();
        let (let_go, is_let_go) = mpsc::channel::<()>();
        supervisor.run_off_control(move || {
            begun.send(thread::current().id()).unwrap();
            let _ = is_let_go.recv();
        });
        (runs_on.recv().unwrap(), let_go)
    }

    #[test]
    fn a_job_runs_beside_one_that_blocks() {
        let (supervisor, _inbox) = Supervisor::new();
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        supervisor.attach_data_plane(runtime.handle());
        let reporter = Reporter::start(crate::settings::LogLevel::default()).unwrap();
        supervisor.attach_report_thread(reporter.thread());
        let (first, let_first_go) = block(supervisor);
        let (second, let_second_go) = block(supervisor);
        assert!(first != second && ![first, second].contains(&thread::current().id()));
        drop((let_first_go, let_second_go));
    }

    #[test]
    fn a_job_that_panics_does_not_keep_the_next_from_running() {
        let (supervisor, _inbox) = Supervisor::new();
        let reporter = Reporter::start(crate::settings::LogLevel::default()).unwrap();
        supervisor.attach_report_thread(reporter.thread());
        supervisor.run_off_control(|| panic!("a waker panics"));
        drop(block(supervisor));
    }
}
