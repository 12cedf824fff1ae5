//! Scopes whose service is over, kept for the next one like it.
//!
//! A scope is never freed, since whatever outlives its service may still reach it. A program may start
//! services without end, each for a tenant or a connection: they use the same scopes again.

use std::sync::{Mutex, MutexGuard};

use super::leaving::Watching;
use super::scope::Scope;
use crate::machine::{Location, Owner};

/// What is kept of services that are over, and of sessions that were given up.
#[derive(Debug)]
pub(super) struct ScopePool {
    scopes: Mutex<Vec<&'static Scope>>,
    /// Sessions that were given up are dropped at their next poll. Until all of a scope's are gone they
    /// stay watched: one that is not looks for nobody's word.
    abandoned: Mutex<Vec<(&'static Scope, Watching)>>,
}

impl ScopePool {
    pub(super) fn new() -> Self {
        Self { scopes: Mutex::new(Vec::new()), abandoned: Mutex::new(Vec::new()) }
    }

    pub(super) fn keep(&self, scope: &'static Scope) {
        lock(&self.scopes).push(scope);
    }

    /// A scope that may be used as if it were new. Only by the same owner: what still holds a lifecycle of
    /// an earlier life was told to stop, and stays so, because that owner's lives have growing numbers.
    pub(super) fn take(&self, owner: Owner, name: &str, location: Location) -> Option<&'static Scope> {
        let mut scopes = lock(&self.scopes);
        let fits = |scope: &&Scope| scope.owner == owner && scope.location == location;
        let index = scopes.iter().position(|scope| fits(scope) && !scope.has_sessions())?;
        let scope = scopes.swap_remove(index);
        scope.rename(name);
        Some(scope)
    }

    pub(super) fn watch_abandoned(&self, scope: &'static Scope) {
        lock(&self.abandoned).push((scope, Watching::on()));
    }

    /// All that are kept.
    pub(super) fn all(&self) -> Vec<&'static Scope> {
        lock(&self.scopes).clone()
    }

    /// Watches no longer those that are gone.
    pub(super) fn let_go(&self) {
        lock(&self.abandoned).retain(|(scope, _)| scope.has_polled_sessions());
    }
}

fn lock<T>(list: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    list.lock().expect("nothing panics while it holds what is kept of services that are over")
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::ptr;
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::super::blocking::spawn_blocking_session;
    use super::super::output::NotAResult;
    use super::super::site::Site;
    use super::super::supervisor::Supervisor;
    use super::super::tracked::spawn_session;
    use super::*;
    use crate::machine::{RunId, ServiceId};

    static SITE: Site = Site::new(None, "retired.rs", 1, "", || "", None);
    static HURRIED: Site = Site::new(None, "retired.rs", 2, "", || "", Some(Duration::from_secs(1)));
    static OTHER: Site = Site::new(None, "retired.rs", 3, "", || "", None);
    const PLACE: Location = Location { file: "retired.rs", line: 1 };

    fn scope_of(supervisor: &'static Supervisor, location: Location) -> &'static Scope {
        supervisor.new_scope(Owner::Service(ServiceId(0)), "tenant", location, RunId(1))
    }

    #[test]
    fn services_without_end_share_the_scopes_of_those_that_are_over() {
        let (supervisor, _inbox) = Supervisor::new();
        let elsewhere = Location { line: 2, ..PLACE };
        let first = scope_of(supervisor, PLACE);
        for _ in 0..3 {
            supervisor.retire_scope(first);
            let other = scope_of(supervisor, elsewhere);
            assert!(!ptr::eq(other, first));
            supervisor.retire_scope(other);
            assert!(ptr::eq(scope_of(supervisor, PLACE), first));
        }
        assert_eq!(supervisor.scopes().len(), 2, "the edge's and one more");
    }

    #[test]
    fn a_scope_is_not_used_again_while_a_session_that_was_given_up_is_left() {
        let (supervisor, _inbox) = Supervisor::new();
        let runtime = Builder::new_current_thread().build().unwrap();
        supervisor.attach_data_plane(runtime.handle());
        let first = scope_of(supervisor, PLACE);
        let left = {
            let _runtime = runtime.enter();
            let _scope = first.enter();
            spawn_session(&SITE, pending::<()>(), NotAResult);
            spawn_session(&HURRIED, pending::<()>(), NotAResult)
        };
        runtime.block_on(tokio::task::yield_now());
        let _watching = Watching::on();
        supervisor.abandon_sessions(first);
        first.groups().iter().for_each(|group| supervisor.abandon_sessions(group));
        supervisor.let_go();
        supervisor.retire_scope(first);
        let second = scope_of(supervisor, PLACE);
        assert!(!ptr::eq(second, first) && !second.is_spent());

        assert!(runtime.block_on(left).unwrap_err().is_panic());
        supervisor.let_go();
        supervisor.retire_scope(second);
        let third = scope_of(supervisor, PLACE);
        assert!(ptr::eq(third, first) && !third.is_spent());
        assert_eq!(supervisor.scopes().len(), 3, "the edge's, this one and its group's");
    }

    #[test]
    fn a_blocking_session_that_hangs_does_not_keep_sessions_watched() {
        let (supervisor, _inbox) = Supervisor::new();
        let runtime = Builder::new_current_thread().build().unwrap();
        let scope = scope_of(supervisor, PLACE);
        let (release, hangs) = mpsc::channel::<()>();
        let _runtime = runtime.enter();
        let _scope = scope.enter();
        spawn_blocking_session(&SITE, move || hangs.recv().is_err(), NotAResult);
        let polled = spawn_session(&OTHER, pending::<()>(), NotAResult);
        supervisor.abandon_sessions(scope);
        supervisor.let_go();
        assert_eq!(lock(&supervisor.scope_pool().abandoned).len(), 1, "one must still look whether it is abandoned");
        polled.abort();
        runtime.block_on(tokio::task::yield_now());
        supervisor.let_go();
        assert!(lock(&supervisor.scope_pool().abandoned).is_empty());
        assert!(scope.has_sessions());
        drop(release);
    }
}
