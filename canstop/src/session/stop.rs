//! Requesting the stop of a scope, and abandoning its sessions.

use std::panic;

use tokio::time::Instant;

use super::blocking::BlockingSession;
use super::counter::Kind;
use super::membership::Membership;
use super::output::NotAResult;
use super::scope::{Registered, Scope, StopCallback};
use super::site;
use super::supervisor::Supervisor;
use super::thread;
use super::waiting;
use crate::machine::{Location, RunId};

impl Supervisor {
    /// Requests the stop of a run, and of its sessions.
    ///
    /// Tasks of the runtime are woken from here. Tokens and callbacks wake or are user code, and do so
    /// elsewhere.
    pub(crate) fn request_stop(&'static self, scope: &'static Scope, run: RunId, until: Instant) {
        if let Some(Registered { token, callbacks }) = scope.request_stop(run, until) {
            self.run_off_control(move || token.cancel());
            callbacks.into_iter().for_each(|callback| self.run_callback(scope, callback));
        }
        scope.wake_body();
        waiting::wake_all(scope);
    }

    /// Abandons the sessions of a scope: each is dropped at its next poll, and woken for it.
    pub(crate) fn abandon_sessions(&'static self, scope: &'static Scope) {
        scope.set_abandoned();
        self.watch_abandoned(scope);
        waiting::wake_all(scope);
    }

    /// Runs a callback, away from the control thread, when the stop of this run is requested.
    #[track_caller]
    pub(crate) fn on_stopping(
        &'static self,
        scope: &'static Scope,
        run: RunId,
        callback: impl FnOnce() + Send + 'static,
    ) {
        let place = panic::Location::caller();
        let site = site::of_callback(Location { file: place.file(), line: place.line() });
        let callback = StopCallback { site, run: Box::new(callback) };
        if let Some(callback) = scope.register(run, callback) {
            self.run_callback(scope, callback);
        }
    }

    /// Runs a callback as a session of its scope: it is waited for, named if it blocks, and its panic is
    /// reported.
    fn run_callback(&'static self, scope: &'static Scope, StopCallback { site, run }: StopCallback) {
        let membership = thread::visit(|_| Membership::begin(site, scope, Kind::Blocking));
        let session = BlockingSession { closure: run, observer: NotAResult, membership };
        self.run_off_control(move || session.run());
    }
}
