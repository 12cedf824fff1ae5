//! Performs what the machine decides.

use std::time::Duration;

use super::drain_stats::StragglerNaming;
use super::event_loop::{EventLoop, Over};
use super::exit::write_to_stderr;
use crate::machine::{Abandoned, Action, Cause, Event, Report, ServiceReport, Stage};
use crate::report::{ROWS, Reporter, rows_without_line};
use crate::session::{HookThreads, Supervisor, count, slowest_request, stop_watching_sessions, watch_sessions};

/// How long the values of `canstop::keep` may take to be dropped.
const KEPT_LIMIT: Duration = Duration::from_secs(1);
/// How long they may take where the grace is used up: a part of the time that the exit has after it.
const KEPT_LEAST: Duration = Duration::from_millis(40);
/// How long other threads are waited for at the end, while there is time: a busy machine may not run them earlier.
const PATIENCE: Duration = Duration::from_millis(500);

impl EventLoop {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Start { id, run } => self.services.begin(id, run),
            Action::StopService { id, run, until } => {
                let scope = self.services.scope(id);
                self.supervisor.request_stop(scope, run, self.clock.instant(until));
            }
            Action::StopRoot { until } => {
                let root = self.supervisor.root();
                self.supervisor.request_stop(root, root.run_id(), self.clock.instant(until));
            }
            Action::RenewRoot => self.supervisor.renew_root(),
            Action::WatchSessions => {
                watch_sessions();
                self.recount_soon();
            }
            Action::UnwatchSessions => stop_watching_sessions(),
            Action::BeginStop => self.begin_stop(),
            Action::Abandon(abandoned) => self.abandon(&abandoned),
            Action::CancelSessions { owner } => {
                self.supervisor.abandon_sessions(self.scope_of(owner));
            }
            Action::Cancel { id, run } => self.services.cancel(id, run),
            Action::DropMain => self.main.drop_main.cancel(),
            Action::ReturnFromRun => {
                for done in std::mem::take(&mut self.in_run) {
                    let report = self.report();
                    self.supervisor.run_off_control(move || drop(done.send(report)));
                }
            }
            Action::DropState { id } => self.services.drop_state(id, self.state.services()[id.0].run),
            #[cfg(all(unix, feature = "handover"))]
            Action::HandOver(action) => self.perform_hand_over(action),
            #[cfg(not(all(unix, feature = "handover")))]
            Action::HandOver(_) => {}
            Action::Emit(mut event) => {
                if let Event::Waiting { slowest, .. } = &mut event {
                    *slowest = slowest_request(self.supervisor);
                }
                let is_readiness = matches!(event, Event::ServiceReady { .. });
                self.emit(event, false);
                if is_readiness {
                    self.compare_passed_sockets();
                }
            }
            // A test has no process to guard. Its clock does not move while the blocking pool works.
            Action::Flush if self.guard.is_none() => self.supervisor.run_flush_hooks(HookThreads::BlockingPool),
            Action::Flush => self.supervisor.run_flush_hooks(HookThreads::Own),
            Action::AbandonFlush => {
                let stragglers = self.supervisor.unfinished_flushes();
                self.drain_stats.enter(stragglers, |event| emit(self.supervisor, &self.reporter, event, false));
            }
            Action::Finish => self.over = Some(Over::Finished),
            Action::ForceExit => {
                let left = self.state.left();
                self.close_books(&left);
                self.name_stragglers(&left, true);
                self.over = Some(Over::Forced);
            }
        }
    }

    fn begin_stop(&mut self) {
        self.drain_stats.open(self.supervisor);
        if let (Some(guard), Some(requested)) = (self.guard, self.state.stop_requested()) {
            guard.arm(self.clock.instant(requested));
        }
        if let Some(deadline) = self.state.deadline() {
            self.supervisor.begin_draining(self.clock.instant(deadline));
        }
    }

    /// Once every service is ready, a passed socket that no listener has taken is a mistake in its name.
    fn compare_passed_sockets(&mut self) {
        if self.compared_passed_sockets {
            return;
        }
        let unclaimed = crate::listen::unclaimed();
        let waits = |stage: &Stage| matches!(stage, Stage::Planned | Stage::Running { ready: false, .. });
        // Most programs are passed none, and then no service is looked at.
        if !unclaimed.is_empty() && self.state.services().iter().any(|service| waits(&service.stage)) {
            return;
        }
        self.compared_passed_sockets = true;
        for listener in unclaimed {
            #[cfg(all(target_os = "linux", feature = "fd_store"))]
            self.close_unclaimed(&listener);
            let warning = "the process manager passes a socket of this name, and no listener has taken it; compare the \
                           names in `FileDescriptorName=` and in `canstop::listen`";
            self.emit(Event::ListenerWarning { listener, warning: warning.to_owned() }, false);
        }
    }

    /// Names stragglers first: once they are dropped there is nothing left to name.
    fn abandon(&mut self, abandoned: &Abandoned) {
        self.close_books(abandoned);
        self.name_stragglers(abandoned, false);
        for &(owner, _) in &abandoned.sessions {
            self.supervisor.abandon_sessions(self.scope_of(owner));
        }
        for &(id, run) in &abandoned.services {
            self.services.abort(id, run);
        }
    }

    /// Runs before stragglers are named: a session that ends meanwhile must not count as drained and abandoned.
    fn close_books(&mut self, abandoned: &Abandoned) {
        let owners: Vec<_> = abandoned.sessions.iter().map(|&(owner, _)| owner).collect();
        self.drain_stats.close(self.supervisor, &owners);
    }

    fn name_stragglers(&mut self, left: &Abandoned, urgent: bool) {
        if let Some(event) = self.operations.workers.at_stop(self.clock.now()) {
            self.emit(event, urgent);
        }
        let now = tokio::time::Instant::now();
        let naming =
            StragglerNaming { supervisor: self.supervisor, watch: &self.watch, now, began: self.clock.began() };
        let stragglers = naming.name(left, |id, run| self.services.run_began(id, run));
        self.drain_stats.enter(stragglers, |event| emit(self.supervisor, &self.reporter, event, urgent));
        self.name_what_holds_up(left, &naming, urgent);
    }

    /// A service with a runtime of its own is polled in time. If it has not stopped, it may wait for what abandoned
    /// sessions of others own, and those are dropped only by a worker that is free.
    fn name_what_holds_up(&self, left: &Abandoned, naming: &StragglerNaming<'_>, urgent: bool) {
        let own = left.services.iter().filter(|&&(id, _)| self.services.has_own_runtime(id));
        for scope in own.map(|&(id, _)| self.services.scope(id)) {
            let by = naming.abandoned_sessions_of_others(scope);
            if !by.is_empty() {
                self.emit(Event::HeldUp { service: scope.name(), by }, urgent);
            }
        }
    }

    /// Gives an event to the subscribers of the stream and to the log.
    pub(crate) fn emit(&self, event: Event, urgent: bool) {
        self.notify_of(&event);
        emit(self.supervisor, &self.reporter, event, urgent);
    }

    /// Emits the last line, waits until everything is written, and drops what was kept for after it. Where
    /// the subscriber stalls, the report goes to stderr past it. Returns whether it is written.
    pub(super) fn report_end(&self, urgent: bool, limit: Duration) -> bool {
        if let Some(more) = rows_without_line(self.drain_stats.stragglers().len()) {
            self.emit(more, urgent);
        }
        // Callbacks of the last line read the last numbers.
        self.publish_numbers();
        self.emit(Event::stopped(&self.report()), urgent);
        let is_written = self.reporter.flush(limit) || self.write_report();
        if !urgent {
            self.drop_kept();
        }
        is_written
    }

    /// How long a step of the end may take: more than the least as long as the time of later ones is not used up.
    pub(super) fn patience(&self, least: Duration) -> Duration {
        (self.time_left().saturating_sub(KEPT_LIMIT) / 2).clamp(least, PATIENCE)
    }

    fn time_left(&self) -> Duration {
        self.state.deadline().map_or(KEPT_LIMIT, |deadline| deadline.since(self.clock.now()))
    }

    /// Drops the values of `canstop::keep`.
    pub(crate) fn drop_kept(&self) {
        let dropped = self.supervisor.drop_kept(self.time_left().clamp(KEPT_LEAST, KEPT_LIMIT));
        for panic in dropped.panics {
            self.reporter
                .write_after_last_line(&format!("a value of `canstop::keep` panicked when it was dropped: {panic}"));
        }
        if !dropped.in_time {
            self.reporter.write_after_last_line("the values of `canstop::keep` were not dropped in time");
        }
    }

    /// Writes the report to stderr past a subscriber that does not take it. Returns whether it is written.
    pub(super) fn write_report(&self) -> bool {
        self.reporter.write_past_subscriber(&self.report().to_string())
    }

    /// Writes what is still running to stderr, for a process whose control plane has failed. Returns whether
    /// there is anything.
    pub(super) fn write_what_is_left(&self) -> bool {
        let left = self.state.left();
        let sessions: u64 = count(self.supervisor).into_iter().map(|count| count.alive).sum();
        let main = left.main.then(|| "the body of main".to_owned());
        let services = left.services.iter().map(|&(id, _)| format!("service `{}`", self.services.scope(id).name()));
        let sessions = (sessions > 0).then(|| format!("{sessions} sessions"));
        let rows: Vec<_> = main.into_iter().chain(sessions).chain(services).collect();
        for row in rows.iter().take(ROWS) {
            write_to_stderr(format!("canstop: abandoned: {row}\n").as_bytes());
        }
        if let Some(more) = rows_without_line(rows.len()) {
            write_to_stderr(format!("canstop: {more}\n").as_bytes());
        }
        !rows.is_empty()
    }

    /// The report at this moment.
    pub(crate) fn report(&self) -> Report {
        let duration = self.state.stop_requested().map(|requested| self.clock.now().since(requested));
        let services = self.state.services().iter().map(|service| ServiceReport {
            name: service.spec.name.clone(),
            outcome: match service.stage {
                Stage::Over(outcome) => Some(outcome),
                _ => None,
            },
            restarts: service.restarts(),
            last_error: service.last_error.clone(),
        });
        Report {
            cause: self.state.cause().cloned().unwrap_or(Cause::Finished),
            duration: duration.unwrap_or_default(),
            drained: self.drain_stats.drained(self.supervisor),
            cancelled: self.drain_stats.cancelled(self.supervisor),
            failed_sessions: self.supervisor.failed_sessions(),
            stragglers: self.drain_stats.stragglers().to_vec(),
            services: services.collect(),
            ended_children: self.state.forgotten_children(),
            exit: self.state.exit(),
        }
    }
}

fn emit(supervisor: &'static Supervisor, reporter: &Reporter, event: Event, urgent: bool) {
    supervisor.publish(&event);
    if urgent {
        reporter.report_urgently(event);
    } else {
        reporter.report(event);
    }
}
