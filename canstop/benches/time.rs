//! Time per session beside what one would use instead, as ratios to `tokio::spawn`.
//!
//! All ways take turns within each round, so that a machine whose speed drifts treats them alike; what
//! is printed is the median of each round's ratio.
//!
//! `cargo bench --bench time`

use std::hint::black_box;
use std::time::{Duration, Instant};

use canstop::{App, Lifecycle, spawn_session};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const ROUNDS: usize = 21;
const TASKS: u64 = 100_000;

async fn empty() {}

async fn one_yield() {
    tokio::task::yield_now().await;
}

/// One way to spawn a task and be told when all have ended.
#[derive(Clone, Copy, Debug)]
enum Way {
    Tokio,
    Canstop,
    Tracker,
    TrackerAndToken,
}

const WAYS: [Way; 4] = [Way::Tokio, Way::Canstop, Way::Tracker, Way::TrackerAndToken];

/// Spawns tasks from one task, a thousand at a time, each batch awaited by its last handle.
async fn spawn_all<F, Fut>(way: Way, tracker: TaskTracker, token: CancellationToken, task: F)
where
    F: Fn() -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    for _ in 0..TASKS / 1_000 {
        let mut last = None;
        for _ in 0..1_000 {
            last = Some(match way {
                Way::Tokio => tokio::spawn(task()),
                Way::Canstop => spawn_session!(task()),
                Way::Tracker => tracker.spawn(task()),
                Way::TrackerAndToken => {
                    let token = token.child_token();
                    let task = task();
                    tracker.spawn(async move {
                        tokio::select! {
                            biased;
                            () = task => {}
                            () = token.cancelled() => {}
                        }
                    })
                }
            });
        }
        let _ = black_box(last).expect("a thousand tasks were spawned").await;
    }
}

fn round<F, Fut>(runtime: &Runtime, spawners: usize, way: Way, task: F) -> Duration
where
    F: Fn() -> Fut + Send + Copy + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    let began = Instant::now();
    runtime.block_on(async {
        let spawners: Vec<_> =
            (0..spawners).map(|_| tokio::spawn(spawn_all(way, tracker.clone(), token.clone(), task))).collect();
        for spawner in spawners {
            spawner.await.expect("a spawner does not panic");
        }
    });
    began.elapsed()
}

fn compare<F, Fut>(what: &str, runtime: &Runtime, spawners: usize, task: F)
where
    F: Fn() -> Fut + Send + Copy + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut ratios = vec![Vec::new(); WAYS.len()];
    let mut floor = Vec::new();
    for _ in 0..ROUNDS {
        let times: Vec<_> = WAYS.iter().map(|&way| round(runtime, spawners, way, task).as_secs_f64()).collect();
        floor.push(times[0] * 1e9 / (TASKS as f64 * spawners as f64));
        for (ratios, time) in ratios.iter_mut().zip(&times) {
            ratios.push(time / times[0]);
        }
    }
    print!("{what:34} {:>7.0} ns", median(&mut floor));
    for ratios in &mut ratios {
        print!(" {:>8.3}", median(ratios));
    }
    println!();
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let _ = App::new().worker_threads(1).run(async {
        let lifecycle = Lifecycle::current();
        // The runtimes that are measured are the benchmark's own; their threads join the supervisor.
        let thread = std::thread::spawn(move || {
            let one = Builder::new_current_thread().build().expect("a runtime");
            let joining = lifecycle.clone();
            let two = Builder::new_multi_thread()
                .worker_threads(2)
                .on_thread_start(move || std::mem::forget(joining.enter()))
                .build()
                .expect("a runtime");
            println!("{:34} {:>10} {:>8} {:>8} {:>8} {:>8}", "", "floor", "tokio", "canstop", "tracker", "+ token");
            {
                let _guard = lifecycle.enter();
                compare("one thread, empty", &one, 1, empty);
                compare("one thread, one yield", &one, 1, one_yield);
            }
            compare("two workers, empty", &two, 1, empty);
            compare("two workers, one yield", &two, 1, one_yield);
            compare("two workers both spawning, empty", &two, 2, empty);
            compare("two workers both spawning, yield", &two, 2, one_yield);
        });
        thread.join().expect("the measuring thread does not panic");
    });
}
