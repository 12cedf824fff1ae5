//! Sessions of code that other threads, other runtimes and other programs run, and settings that are
//! computed.

use std::thread;
use std::time::Duration;

use canstop::{Lifecycle, Restart, spawn_blocking_session, spawn_session};
use tokio::runtime::Builder;
use tokio::time::sleep;

/// Shared with a program that has no supervisor.
async fn shared(place: &'static str) {
    let task = spawn_session!("shared", or_task, async move { println!("a future runs {place}") }, place);
    let closure = spawn_blocking_session!(or_task, move || println!("a closure runs {place}"));
    task.await.expect("it does not panic");
    closure.await.expect("it does not panic");
}

/// Takes longer than `main`.
async fn long(place: &'static str) {
    sleep(Duration::from_millis(100)).await;
    println!("the session {place} is done");
}

fn from_elsewhere(lifecycle: Lifecycle) {
    let foreign = lifecycle.clone();
    let without_runtime = thread::spawn(move || drop(spawn_session!(in foreign, long("of a thread"))));
    without_runtime.join().expect("a session is spawned");
    let with_runtime = thread::spawn(move || {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async { drop(spawn_session!("named", in lifecycle, long("of a runtime"), id = 1)) });
    });
    with_runtime.join().expect("a session is spawned");
}

fn grace() -> Duration {
    println!("the grace is computed");
    Duration::from_secs(1)
}

const BACKOFF: std::ops::Range<Duration> = Duration::from_millis(1)..Duration::from_millis(2);

#[canstop::service(
    name = format!("computed-{}", 1),
    restart = if cfg!(unix) { Restart::OnFailure } else { Restart::Always },
    backoff = BACKOFF,
    limit = (2, Duration::from_secs(9)),
    grace = Duration::from_secs(1) / 4,
    start = "retry"
)]
async fn computed(_lifecycle: Lifecycle) {
    println!("the computed service runs");
}

#[canstop::main(grace = grace(), worker_threads = 1 + 1)]
async fn supervised() {
    println!("main runs");
    shared("in a session").await;
    from_elsewhere(Lifecycle::current());
}

fn main() -> std::process::ExitCode {
    Builder::new_current_thread().build().expect("a runtime").block_on(shared("in a task"));
    supervised()
}
