//! Sessions from their spawn to their end, without a control plane. No test sleeps and none does I/O, so
//! that miri can run them.

use std::future::{pending, poll_fn, ready};
use std::ptr;
use std::sync::{Barrier, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, block_in_place, yield_now};
use tokio::time::Instant;

use super::leaving::Watching;
use super::output::NotAResult;
use super::scope::{Scope, current_scope};
use super::site::Site;
use super::snapshot::count;
use super::supervisor::Supervisor;
use super::thread::look;
use super::tracked::spawn_session;
use crate::machine::{Location, Owner, RunId, ServiceId};

pub(super) static SITE: Site = Site::new(None, "tests.rs", 1, "", || "", None);

const LIFE: RunId = RunId(1);

pub(super) fn service() -> &'static Scope {
    let (supervisor, _inbox) = Supervisor::new();
    let place = Location { file: "tests.rs", line: 1 };
    let scope = supervisor.new_scope(Owner::Service(ServiceId(0)), "service", place, LIFE);
    scope.begin(LIFE);
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
    let counts = count(scope.supervisor);
    counts.iter().find(|count| ptr::eq(count.scope, scope)).expect("it is counted").alive
}

fn tell(scope: &'static Scope) {
    let _watching = Watching::on();
    scope.tell(LIFE, Instant::now());
}

/// MainChannels when its service is told to stop, and registers nowhere.
async fn until_told(scope: &'static Scope) {
    poll_fn(|_| if scope.is_stopping(LIFE) { Poll::Ready(()) } else { Poll::Pending }).await;
}

#[test]
fn a_session_is_counted_until_it_ends_however_that_comes_about() {
    let (scope, runtime) = (service(), runtime());
    spawn(scope, &runtime, ready(()));
    let aborted = spawn(scope, &runtime, pending::<()>());
    let panicked = spawn(scope, &runtime, async { panic!("as it should") });
    spawn(scope, &runtime, pending::<()>());
    assert_eq!(alive(scope), 4);
    run(&runtime);
    assert_eq!(alive(scope), 2, "one has returned and one has panicked");
    assert!(runtime.block_on(panicked).unwrap_err().is_panic());
    assert_eq!(scope.supervisor.failed_sessions(), 1);
    aborted.abort();
    run(&runtime);
    assert_eq!(alive(scope), 1);
    drop(runtime);
    assert_eq!(alive(scope), 0);
}

/// Says when it is dropped how many sessions of a service were alive.
struct CountsWhenDropped(&'static Scope, mpsc::Sender<u64>);

impl CountsWhenDropped {
    fn is_stopping(&self) -> bool {
        self.0.is_stopping(LIFE)
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
fn a_session_that_waits_for_something_else_is_woken_when_its_service_is_told() {
    let (scope, runtime) = (service(), runtime());
    let session = spawn(scope, &runtime, until_told(scope));
    run(&runtime);
    tell(scope);
    runtime.block_on(session).unwrap();
    assert_eq!(alive(scope), 0);
}

#[test]
fn a_session_that_puts_another_waker_into_its_context_is_woken_itself() {
    let (scope, runtime) = (service(), runtime());
    let session = spawn(
        scope,
        &runtime,
        poll_fn(|cx| {
            *cx = Context::from_waker(Waker::noop());
            if scope.is_stopping(LIFE) { Poll::Ready(()) } else { Poll::Pending }
        }),
    );
    run(&runtime);
    tell(scope);
    runtime.block_on(session).unwrap();
}

#[test]
fn a_session_that_is_given_up_is_dropped_at_its_next_poll() {
    let (scope, runtime) = (service(), runtime());
    let waits = spawn(scope, &runtime, pending::<()>());
    run(&runtime);
    let queued = spawn(scope, &runtime, async { unreachable!("it is not polled any more") });
    let _watching = Watching::on();
    scope.abandon_sessions();
    assert!(runtime.block_on(waits).unwrap_err().is_panic());
    let payload = runtime.block_on(queued).unwrap_err().into_panic();
    assert!(payload.downcast_ref::<String>().is_none(), "the payload is canstop's own");
    assert_eq!(alive(scope), 0);
    assert_eq!(scope.supervisor.failed_sessions(), 0);
}

#[test]
fn a_poll_within_a_poll_leaves_the_outer_one_as_it_was() {
    let (scope, other) = (service(), service());
    let outer_runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let seen = move || look().into_iter().find(|seen| ptr::eq(seen.counter.home, scope)).map(|seen| seen.mark);
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
fn sessions_come_and_go_on_two_threads_while_a_third_one_tells_them() {
    let scope = service();
    let begin = Barrier::new(3);
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                let runtime = runtime();
                begin.wait();
                for _ in 0..if cfg!(miri) { 8 } else { 2_000 } {
                    spawn(scope, &runtime, yield_now());
                    spawn(scope, &runtime, until_told(scope));
                    run(&runtime);
                }
                // Whoever began to wait before it was told was woken.
                while alive(scope) > 0 {
                    run(&runtime);
                    thread::yield_now();
                }
            });
        }
        begin.wait();
        tell(scope);
    });
    assert_eq!(alive(scope), 0);
}
