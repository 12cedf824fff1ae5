//! Sessions from their spawn to their end, without a control plane. No test sleeps and none does I/O, so
//! that miri can run them.

use std::cell::RefCell;
use std::collections::HashSet;
use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::ptr;
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, block_in_place, yield_now};
use tokio::time::Instant;

use super::counting::count;
use super::current::current_scope;
use super::membership::Membership;
use super::output::NotAResult;
use super::scope::{Kind, Scope};
use super::site::Site;
use super::supervisor::Supervisor;
use super::table::Watching;
use super::thread::{record_and_table, scan, thread_count};
use super::tracked::{spawn_blocking_session, spawn_session};
use crate::lifecycle::Lifecycle;
use crate::machine::{Location, Owner, RunId, ServiceId};

pub(super) static SITE: Site = Site::new(None, "tests.rs", 1, "", || "", None);

const RUN: RunId = RunId(1);

pub(super) fn service() -> &'static Scope {
    let (supervisor, _inbox) = Supervisor::new();
    let place = Location { file: "tests.rs", line: 1 };
    let scope = supervisor.new_scope(Owner::Service(ServiceId(0)), "service", place, RUN);
    scope.begin(RUN);
    scope
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Spawns a session of this service on this runtime.
fn spawn<F>(scope: &'static Scope, runtime: &Runtime, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let _runtime = runtime.enter();
    let _scope = scope.enter();
    spawn_session(&SITE, future, NotAResult)
}

/// Lets everything that is ready run until it waits or ends.
fn run(runtime: &Runtime) {
    runtime.block_on(async {
        for _ in 0..4 {
            yield_now().await;
        }
    });
}

fn alive(scope: &'static Scope) -> u64 {
    let counts = count(scope.supervisor());
    counts.iter().find(|count| ptr::eq(count.scope, scope)).map_or(0, |count| count.alive)
}

fn stop(scope: &'static Scope, run: RunId) {
    let _watching = Watching::on();
    scope.supervisor().request_stop(scope, run, Instant::now());
}

/// Ends when the stop of its service is requested, and registers nowhere.
async fn until_stopping(scope: &'static Scope) {
    poll_fn(|_| if scope.is_stopping(RUN) { Poll::Ready(()) } else { Poll::Pending }).await;
}

#[test]
fn a_session_is_counted_until_it_ends() {
    let (scope, runtime) = (service(), runtime());
    spawn(scope, &runtime, ready(()));
    let aborted = spawn(scope, &runtime, pending::<()>());
    let panicked = spawn(scope, &runtime, async { panic!("as it should") });
    spawn(scope, &runtime, pending::<()>());
    assert_eq!(alive(scope), 4);
    run(&runtime);
    assert_eq!(alive(scope), 2, "one has returned and one has panicked");
    assert!(runtime.block_on(panicked).unwrap_err().is_panic());
    assert_eq!(scope.supervisor().failed_sessions(), 1);
    aborted.abort();
    run(&runtime);
    assert_eq!(alive(scope), 1);
    drop(runtime);
    assert_eq!(alive(scope), 0);
}

/// Sends, when it is dropped, how many sessions of a service are alive.
struct CountsWhenDropped(&'static Scope, mpsc::Sender<u64>);

impl CountsWhenDropped {
    fn is_stopping(&self) -> bool {
        self.0.is_stopping(RUN)
    }
}

impl Drop for CountsWhenDropped {
    fn drop(&mut self) {
        self.1.send(alive(self.0)).unwrap();
    }
}

#[test]
fn a_session_is_alive_until_its_future_is_dropped() {
    let (scope, runtime) = (service(), runtime());
    let (counted, counts) = mpsc::channel();
    // Futures that still own it when they are done.
    let owner = CountsWhenDropped(scope, counted.clone());
    spawn(scope, &runtime, poll_fn(move |_| if owner.is_stopping() { Poll::Pending } else { Poll::Ready(()) }));
    let owner = CountsWhenDropped(scope, counted);
    let aborted =
        spawn(scope, &runtime, poll_fn(move |_| if owner.is_stopping() { Poll::Ready(()) } else { Poll::Pending }));
    run(&runtime);
    assert_eq!(counts.try_recv().unwrap(), 2);
    aborted.abort();
    run(&runtime);
    assert_eq!(counts.try_recv().unwrap(), 1);
    assert_eq!(alive(scope), 0);
}

#[test]
fn an_output_without_a_handle_is_dropped_as_part_of_its_session() {
    let (scope, runtime) = (service(), runtime());
    let (counted, counts) = mpsc::channel();
    drop(spawn(scope, &runtime, ready(CountsWhenDropped(scope, counted.clone()))));
    run(&runtime);
    assert_eq!(counts.try_recv().unwrap(), 1);
    assert_eq!(alive(scope), 0);

    let kept = spawn(scope, &runtime, ready(CountsWhenDropped(scope, counted)));
    let output = runtime.block_on(kept).unwrap();
    run(&runtime);
    assert_eq!(alive(scope), 0, "the output is its handle's");
    drop(output);
    assert_eq!(counts.try_recv().unwrap(), 0);
}

#[test]
fn a_waiting_session_is_woken_by_a_stop_request() {
    let (scope, runtime) = (service(), runtime());
    let session = spawn(scope, &runtime, until_stopping(scope));
    run(&runtime);
    stop(scope, RUN);
    runtime.block_on(session).unwrap();
    assert_eq!(alive(scope), 0);
}

#[test]
fn a_session_that_replaces_its_waker_is_woken() {
    let (scope, runtime) = (service(), runtime());
    let session = spawn(
        scope,
        &runtime,
        poll_fn(|cx| {
            *cx = Context::from_waker(Waker::noop());
            if scope.is_stopping(RUN) { Poll::Ready(()) } else { Poll::Pending }
        }),
    );
    run(&runtime);
    stop(scope, RUN);
    runtime.block_on(session).unwrap();
}

#[test]
fn an_abandoned_session_is_dropped_at_its_next_poll() {
    let (scope, runtime) = (service(), runtime());
    let waits = spawn(scope, &runtime, pending::<()>());
    run(&runtime);
    let queued = spawn(scope, &runtime, async { unreachable!("it is not polled any more") });
    let _watching = Watching::on();
    scope.supervisor().abandon_sessions(scope);
    assert!(runtime.block_on(waits).unwrap_err().is_panic());
    let payload = runtime.block_on(queued).unwrap_err().into_panic();
    assert!(payload.downcast_ref::<String>().is_none(), "the payload is canstop's own");
    assert_eq!(alive(scope), 0);
    assert_eq!(scope.supervisor().failed_sessions(), 0);
}

#[test]
fn an_inner_poll_restores_the_outer_one() {
    let (scope, other) = (service(), service());
    let outer_runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let seen =
        move || scan().polled.into_iter().find(|polled| ptr::eq(polled.counter.home, scope)).map(|polled| polled.tag);
    let is_current = |scope| current_scope().is_some_and(|current| ptr::eq(current, scope));
    let session = spawn(scope, &outer_runtime, async move {
        let before = seen().expect("it is being polled");
        let inner_was_current = block_in_place(|| {
            let runtime = runtime();
            let inner = spawn(other, &runtime, async move { is_current(other) && seen().is_none() });
            runtime.block_on(inner).unwrap()
        });
        assert!(inner_was_current);
        assert_eq!(seen(), Some(before));
        assert!(is_current(scope));
    });
    outer_runtime.block_on(session).unwrap();
    assert_eq!((alive(scope), alive(other)), (0, 0));
    assert_eq!(seen(), None, "an idle thread polls nothing");
}

#[test]
fn sessions_come_and_go_on_two_threads_during_a_stop() {
    let scope = service();
    let begin = Barrier::new(3);
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                let runtime = runtime();
                begin.wait();
                for _ in 0..if cfg!(miri) { 8 } else { 2_000 } {
                    spawn(scope, &runtime, yield_now());
                    spawn(scope, &runtime, until_stopping(scope));
                    run(&runtime);
                }
                // Those that waited before the stop request were woken.
                while alive(scope) > 0 {
                    run(&runtime);
                    thread::yield_now();
                }
            });
        }
        begin.wait();
        stop(scope, RUN);
    });
    assert_eq!(alive(scope), 0);
}

/// Watch, wake and unwatch against enter, leave and abort. Under ThreadSanitizer, or AddressSanitizer with `address`, it
/// runs by
///
/// ```sh
/// RUSTFLAGS=-Zsanitizer=thread cargo +nightly test -Zbuild-std --target x86_64-unknown-linux-gnu \
///     -p canstop --lib -- sessions_leave_and_are_aborted
/// ```
#[test]
fn sessions_leave_and_are_aborted_while_they_are_woken() {
    let scope = service();
    let alternate = || {
        let runtime = runtime();
        for _ in 0..if cfg!(miri) { 8 } else { 2_000 } {
            let ends = spawn(scope, &runtime, yield_now());
            let aborted = spawn(scope, &runtime, pending::<()>());
            runtime.block_on(ends).unwrap();
            aborted.abort();
            assert!(runtime.block_on(aborted).unwrap_err().is_cancelled());
        }
    };
    thread::scope(|threads| {
        let threads = [threads.spawn(alternate), threads.spawn(alternate)];
        while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
            let _watching = Watching::on();
            scope.supervisor().wake_sessions(scope);
        }
    });
    assert_eq!(alive(scope), 0);
}

/// What a foreign waker registers, as in `FuturesUnordered`, and what a raw task holds.
#[test]
fn sessions_of_an_earlier_run_hear_the_stop_by_their_token() {
    let scope = service();
    let earlier = Lifecycle::new(scope, RUN);
    let token = earlier.token();
    let mut stopping = pin!(earlier.stopping());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(stopping.as_mut().poll(&mut cx).is_pending());

    // The first run fails: its stop was not requested.
    scope.begin(RunId(2));
    assert!(!token.is_cancelled() && !earlier.is_stopping());

    stop(scope, RunId(2));
    assert!(token.is_cancelled());
    assert!(stopping.poll(&mut cx).is_ready());
    assert!(earlier.token().is_cancelled());

    scope.begin(RunId(3));
    assert!(!Lifecycle::new(scope, RunId(3)).token().is_cancelled(), "a run that was stopped leaves a new token");
}

#[test]
fn a_callback_runs_once_when_the_stop_is_requested() {
    let scope = service();
    let (called, calls) = mpsc::channel();
    let lifecycle = Lifecycle::new(scope, RUN);
    let early = called.clone();
    lifecycle.on_stopping(move || early.send((current_scope().unwrap().owner, alive(scope))).unwrap());
    assert!(calls.try_recv().is_err());
    stop(scope, RUN);
    stop(scope, RUN);
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), [(scope.owner, 1)], "it is counted while it runs");
    lifecycle.on_stopping(move || called.send((scope.owner, 0)).unwrap());
    assert_eq!(calls.try_iter().count(), 1, "the stop was requested already");
    assert_eq!(alive(scope), 0);
}

#[test]
fn a_callback_that_panics_is_a_failure_of_its_service() {
    let (supervisor, mut inbox) = Supervisor::new();
    let place = Location { file: "tests.rs", line: 1 };
    let scope = supervisor.new_scope(Owner::Service(ServiceId(0)), "service", place, RUN);
    let line = line!() + 1;
    Lifecycle::new(scope, RUN).on_stopping(|| panic!("as it should"));
    stop(scope, RUN);
    let failure = inbox.failures.try_recv().unwrap();
    assert_eq!(failure.owner.as_deref(), Some("service"));
    assert_eq!(failure.site.location(), Location { file: file!(), line });
    assert_eq!(alive(scope), 0);
}

#[test]
fn callbacks_are_dropped_when_a_run_ends_unless_sessions_are_left() {
    let (scope, runtime) = (service(), runtime());
    let held = Arc::new(());
    let register = |run| {
        let held = Arc::clone(&held);
        Lifecycle::new(scope, run).on_stopping(move || drop(held));
    };
    register(RUN);
    scope.begin(RunId(2));
    assert_eq!(Arc::strong_count(&held), 1);
    register(RunId(2));
    let session = spawn(scope, &runtime, pending::<()>());
    scope.begin(RunId(3));
    assert_eq!(Arc::strong_count(&held), 2);
    stop(scope, RunId(3));
    assert_eq!(Arc::strong_count(&held), 1);
    session.abort();
}

#[test]
fn an_aborted_blocking_session_is_alive_until_its_captures_are_dropped() {
    let scope = service();
    let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let _runtime = runtime.enter();
    let (release, held) = mpsc::channel::<()>();
    let holder = tokio::task::spawn_blocking(move || held.recv());
    let (counted, counts) = mpsc::channel();
    let capture = CountsWhenDropped(scope, counted);
    let queued = {
        let _scope = scope.enter();
        spawn_blocking_session(&SITE, move || drop(capture), NotAResult)
    };
    queued.abort();
    drop(release);
    runtime.block_on(holder).unwrap().unwrap_err();
    assert!(runtime.block_on(queued).unwrap_err().is_cancelled());
    assert_eq!(counts.recv().unwrap(), 1);
    while alive(scope) > 0 {
        thread::yield_now();
    }
}

#[test]
fn an_aborted_session_that_was_never_polled_is_alive_until_its_captures_are_dropped() {
    let (scope, runtime) = (service(), runtime());
    let (counted, counts) = mpsc::channel();
    let capture = CountsWhenDropped(scope, counted);
    let session = spawn(scope, &runtime, async move { drop(capture) });
    session.abort();
    run(&runtime);
    assert_eq!(counts.recv().unwrap(), 1);
    assert_eq!(alive(scope), 0);
}

#[test]
fn sessions_of_another_runtime_are_woken_while_the_data_plane_is_blocked() {
    let (scope, data_plane, other) = (service(), runtime(), runtime());
    // Nothing drives it.
    scope.supervisor().attach_data_plane(data_plane.handle());
    let count = if cfg!(miri) { 5_000 } else { 6_000 };
    for _ in 0..count {
        spawn(scope, &other, until_stopping(scope));
    }
    // A turn polls 61 tasks.
    let run_all = || (0..count / 200).for_each(|_| run(&other));
    run_all();
    assert_eq!(alive(scope), count);
    stop(scope, RUN);
    while !scope.supervisor().has_woken_all() {
        scope.supervisor().continue_waking();
    }
    run_all();
    assert_eq!(alive(scope), 0);
}

/// Ends a record's thread in every round, and counts the records and tables that come up.
fn records_and_tables_of(rounds: usize, work: impl Fn() + Sync) -> (usize, usize) {
    let [mut records, mut tables] = [(); 2].map(|()| HashSet::new());
    for _ in 0..rounds {
        let (record, table) = thread::scope(|threads| {
            let work = || {
                work();
                record_and_table()
            };
            threads.spawn(work).join().unwrap()
        });
        records.insert(record);
        tables.insert(table);
    }
    (records.len(), tables.len())
}

#[test]
fn threads_that_come_and_go_use_the_same_tables() {
    let scope = service();
    let (records, tables) = records_and_tables_of(20, || {
        let _scope = scope.enter();
        drop(Membership::begin(&SITE, scope, Kind::Session));
    });
    assert!(tables <= records, "{tables} tables for {records} records");
    assert!(records < 20);
}

thread_local! {
    static DROPPED_LATE: RefCell<Option<Membership>> = const { RefCell::new(None) };
}

#[test]
fn a_session_that_a_thread_drops_in_a_destructor_leaves_nothing_behind() {
    let scope = service();
    let before = thread_count();
    for _ in 0..20 {
        thread::scope(|threads| {
            threads.spawn(|| {
                // Before canstop's own thread-local, so that it is dropped after that.
                DROPPED_LATE.with_borrow_mut(|_| {});
                let membership = Membership::begin(&SITE, scope, Kind::Session);
                DROPPED_LATE.set(Some(membership));
            });
        });
        while alive(scope) > 0 {
            thread::yield_now();
        }
    }
    let records = thread_count() - before;
    assert!(records < 20, "{records} records for twenty threads, one after the other");
}

#[test]
fn a_cancelled_session_is_counted_as_such() {
    static MAY_BE_CANCELLED: Site = Site::new(None, "tests.rs", 2, "", || "", None).cancel_after(Duration::ZERO);
    let (scope, runtime) = (service(), runtime());
    let session = {
        let _runtime = runtime.enter();
        let _scope = scope.enter();
        spawn_session(&MAY_BE_CANCELLED, pending::<()>(), NotAResult)
    };
    run(&runtime);
    let _watching = Watching::on();
    scope.groups().iter().for_each(|group| scope.supervisor().abandon_sessions(group));
    assert!(runtime.block_on(session).is_err());
    assert_eq!((scope.supervisor().cancelled_sessions(), scope.supervisor().failed_sessions()), (1, 0));
}
