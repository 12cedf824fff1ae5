//! From the stop request until every waiting session has been told and is gone.
//!
//! `cargo bench --bench stop`

use std::sync::Arc;
use std::time::{Duration, Instant};

use canstop::{App, Lifecycle, spawn_session};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const ROUNDS: usize = 5;

async fn started(count: usize, semaphore: &Semaphore) {
    let _ = semaphore.acquire_many(count as u32).await.expect("the semaphore stays open");
}

/// Sessions that wait by `lifecycle.stopping()`, and the whole supervisor's end.
fn canstop(count: usize) -> (Duration, Duration) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let _ = App::new().worker_threads(2).grace(Duration::from_secs(60)).run(async move {
        let lifecycle = Lifecycle::current();
        let ready = Arc::new(Semaphore::new(0));
        for _ in 0..count {
            let ready = Arc::clone(&ready);
            spawn_session!(async move {
                let lifecycle = Lifecycle::current();
                ready.add_permits(1);
                lifecycle.stopping().await;
            });
        }
        started(count, &ready).await;
        let began = Instant::now();
        lifecycle.shutdown("measured");
        let called = began.elapsed();
        let _ = canstop::run().await;
        sender.send((called, began.elapsed())).expect("somebody listens");
    });
    receiver.recv().expect("it was measured")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A tracker, and a token that is cloned into, or has a child in, each task.
fn token(count: usize, child: bool) -> (Duration, Duration) {
    runtime().block_on(async move {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let ready = Arc::new(Semaphore::new(0));
        for _ in 0..count {
            let ready = Arc::clone(&ready);
            let token = if child { token.child_token() } else { token.clone() };
            tracker.spawn(async move {
                ready.add_permits(1);
                token.cancelled().await;
            });
        }
        started(count, &ready).await;
        tracker.close();
        let began = Instant::now();
        token.cancel();
        let called = began.elapsed();
        tracker.wait().await;
        (called, began.elapsed())
    })
}

fn main() {
    println!("{:>10} {:28} {:>12} {:>12}", "sessions", "", "the call", "all gone");
    for count in [10_000, 100_000, 1_000_000] {
        let mut results = vec![Vec::new(); 3];
        for _ in 0..ROUNDS {
            results[0].push(canstop(count));
            results[1].push(token(count, false));
            results[2].push(token(count, true));
        }
        for (name, results) in ["canstop", "token and tracker", "child tokens and tracker"].iter().zip(&mut results) {
            results.sort_by_key(|(_, gone)| *gone);
            let (called, gone) = results[ROUNDS / 2];
            println!(
                "{count:>10} {name:28} {:>9.3} ms {:>9.1} ms",
                called.as_secs_f64() * 1e3,
                gone.as_secs_f64() * 1e3
            );
        }
    }
}
