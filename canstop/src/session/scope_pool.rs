//! The reuse of scopes.

use std::sync::{Mutex, MutexGuard};

use super::scope::Scope;
use super::table::Watching;
use crate::machine::{Location, Owner};

/// Scopes whose service has ended, kept for the next service like it.
///
/// A scope is never freed, because what outlasts its service may still reach it. A program may start any number of
/// services, each for a tenant or a connection: they reuse the same scopes.
#[derive(Debug, Default)]
pub(super) struct ScopePool {
    scopes: Mutex<Vec<&'static Scope>>,
    /// Abandoned sessions are dropped at their next poll, and only watched ones check whether they are abandoned. So
    /// they stay watched until all of a scope's have ended.
    abandoned: Mutex<Vec<(&'static Scope, Watching)>>,
}

impl ScopePool {
    pub(super) fn keep(&self, scope: &'static Scope) {
        lock(&self.scopes).push(scope);
    }

    /// A scope without sessions that can be used as a new one. Only by the same owner: a lifecycle of an earlier run
    /// whose stop was requested remains stopping, because the run numbers of one owner only grow.
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

    pub(super) fn all(&self) -> Vec<&'static Scope> {
        lock(&self.scopes).clone()
    }

    /// Stops watching abandoned sessions that have ended.
    pub(super) fn unwatch_ended(&self) {
        lock(&self.abandoned).retain(|(scope, _)| scope.has_polled_sessions());
    }

    /// How many scopes have abandoned sessions that are watched.
    #[cfg(test)]
    pub(super) fn watched(&self) -> usize {
        lock(&self.abandoned).len()
    }
}

fn lock<T>(list: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    list.lock().expect("nothing panics while it holds the retired scopes")
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::ptr;
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::super::output::NotAResult;
    use super::super::site::Site;
    use super::super::supervisor::Supervisor;
    use super::super::tracked::{spawn_blocking_session, spawn_session};
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
    fn services_reuse_the_scopes_of_ended_ones() {
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
        assert_eq!(supervisor.scopes().len(), 2, "the root's and one more");
    }

    #[test]
    fn a_scope_is_not_reused_while_it_has_abandoned_sessions() {
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
        supervisor.unwatch_ended();
        supervisor.retire_scope(first);
        let second = scope_of(supervisor, PLACE);
        assert!(!ptr::eq(second, first) && !second.is_spent());

        assert!(runtime.block_on(left).unwrap_err().is_panic());
        supervisor.unwatch_ended();
        supervisor.retire_scope(second);
        let third = scope_of(supervisor, PLACE);
        assert!(ptr::eq(third, first) && !third.is_spent());
        assert_eq!(supervisor.scopes().len(), 3, "the root's, this one and its group's");
    }

    #[test]
    fn a_blocking_session_that_hangs_is_not_watched() {
        let (supervisor, _inbox) = Supervisor::new();
        let runtime = Builder::new_current_thread().build().unwrap();
        let scope = scope_of(supervisor, PLACE);
        let (release, hangs) = mpsc::channel::<()>();
        let _runtime = runtime.enter();
        let _scope = scope.enter();
        spawn_blocking_session(&SITE, move || hangs.recv().is_err(), NotAResult);
        let polled = spawn_session(&OTHER, pending::<()>(), NotAResult);
        supervisor.abandon_sessions(scope);
        supervisor.unwatch_ended();
        assert_eq!(supervisor.watched(), 1, "one must still check whether it is abandoned");
        polled.abort();
        runtime.block_on(tokio::task::yield_now());
        supervisor.unwatch_ended();
        assert_eq!(supervisor.watched(), 0);
        assert!(scope.has_sessions());
        drop(release);
    }

    #[test]
    fn groups_are_listed_in_the_order_of_their_numbers() {
        let (supervisor, _inbox) = Supervisor::new();
        let (first, second) = (scope_of(supervisor, PLACE), scope_of(supervisor, Location { line: 2, ..PLACE }));
        let groups = [second.counts(&HURRIED), first.counts(&HURRIED)];
        assert!(ptr::eq(first.counts(&HURRIED), groups[1]), "a grace has one group per scope");
        supervisor.retire_scope(second);
        let listed = |from| supervisor.groups_from(from).into_iter().map(ptr::from_ref).collect::<Vec<_>>();
        assert_eq!(listed(0), groups.map(ptr::from_ref), "also those of a scope that is retired");
        assert_eq!(listed(1), [ptr::from_ref(groups[1])]);
        assert!(listed(2).is_empty());
    }
}
