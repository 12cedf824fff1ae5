//! Instructions per session, counted by valgrind's callgrind: the same number at every run, whatever
//! else the machine does.
//!
//! `cargo bench --bench instructions` runs itself under valgrind, once per way of spawning and shape
//! of task, and prints the cost of one task beside that of `tokio::spawn`.

use std::future::Future;
use std::hint::black_box;
use std::process::Command;

use canstop::{App, Lifecycle, spawn_session};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const FEW: u64 = 1_000;
const MANY: u64 = 11_000;

type Measure = fn(&Runtime, u64);

/// Runs `tasks` tasks, a hundred at a time, so that queues and caches are as in a busy server.
fn batches<T, F: Future<Output = ()>>(
    runtime: &Runtime,
    tasks: u64,
    mut spawn: impl FnMut() -> T,
    settle: impl Fn() -> F,
) {
    runtime.block_on(async {
        for _ in 0..tasks / 100 {
            for _ in 0..100 {
                black_box(spawn());
            }
            settle().await;
        }
    });
}

async fn empty() {}

async fn one_yield() {
    tokio::task::yield_now().await;
}

/// Lets every task that is ready run to its end.
async fn settle() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

macro_rules! ways {
    ($($name:literal: |$runtime:ident, $tasks:ident, $task:ident| $body:expr;)*) => {
        const WAYS: &[(&str, [(&str, Measure); 2])] = &[$(($name, [
            ("empty", |$runtime, $tasks| { let $task = empty; $body }),
            ("one yield", |$runtime, $tasks| { let $task = one_yield; $body }),
        ])),*];
    };
}

ways! {
    "tokio::spawn": |runtime, tasks, task| batches(runtime, tasks, || tokio::spawn(task()), settle);
    "canstop": |runtime, tasks, task| batches(runtime, tasks, || spawn_session!(task()), settle);
    "TaskTracker": |runtime, tasks, task| {
        let tracker = TaskTracker::new();
        batches(runtime, tasks, || tracker.spawn(task()), settle);
    };
    "TaskTracker and child token": |runtime, tasks, task| {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let spawn = || {
            let token = token.child_token();
            tracker.spawn(async move {
                tokio::select! {
                    biased;
                    () = task() => {}
                    () = token.cancelled() => {}
                }
            })
        };
        batches(runtime, tasks, spawn, settle);
    };
}

/// The only function that is counted.
#[inline(never)]
fn measured(measure: Measure, runtime: &Runtime, tasks: u64) {
    measure(runtime, black_box(tasks));
}

/// The measured process: a supervisor, and a thread of its own with a runtime of its own, so that
/// nothing but the tasks is counted.
fn measure(way: usize, shape: usize, tasks: u64) {
    let measure = WAYS[way].1[shape].1;
    let _ = App::new().worker_threads(1).run(async move {
        let lifecycle = Lifecycle::current();
        let thread = std::thread::spawn(move || {
            let _guard = lifecycle.enter();
            let runtime = Builder::new_current_thread().build().expect("a runtime");
            // Once before, so that what is made once is made.
            measure(&runtime, 200);
            measured(measure, &runtime, tasks);
        });
        thread.join().expect("the measured thread does not panic");
    });
}

fn count(way: usize, shape: usize, tasks: u64) -> u64 {
    let out = std::env::temp_dir().join(format!("canstop-callgrind-{}", std::process::id()));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*measured*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().expect("this program has a path"))
        .args(["--measure", &way.to_string(), &shape.to_string(), &tasks.to_string()])
        .output()
        .expect("valgrind is installed");
    let _ = std::fs::remove_file(out);
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split("Collected : ").nth(1));
    collected.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("no count in:\n{text}"))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, way, shape, tasks] = &arguments[..]
        && flag == "--measure"
    {
        let number = |text: &str| text.parse().expect("a number");
        return measure(number(way) as usize, number(shape) as usize, number(tasks));
    }
    println!("{:30} {:>10} {:>10}", "instructions per task", "empty", "one yield");
    let mut floor = [0.0; 2];
    for (way, (name, _)) in WAYS.iter().enumerate() {
        print!("{name:30}");
        for (shape, floor) in floor.iter_mut().enumerate() {
            let each = (count(way, shape, MANY) - count(way, shape, FEW)) as f64 / (MANY - FEW) as f64;
            if way == 0 {
                *floor = each;
            }
            print!(" {each:>6.1} {:>5.3}", each / *floor);
        }
        println!();
    }
}
