//! Threads that block forever: a worker, all workers, the main thread, the blocking pool. The first argument
//! selects the scenario, the second one tokio's runtime. The code prints READY just before it blocks.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use canstop::{App, Event, Flavor, Lifecycle, Service, spawn_blocking_session, spawn_session};
use canstop_tests::{READY, scenario};
use tokio::sync::mpsc;

fn main() -> ExitCode {
    let flavor = std::env::args().nth(2).expect("a runtime");
    let app = App::new().grace(Duration::from_secs(1));
    let app = match flavor.as_str() {
        "multi_thread" => app.flavor(Flavor::MultiThread).worker_threads(2),
        "current_thread" => app.flavor(Flavor::CurrentThread),
        other => panic!("no runtime {other}"),
    };
    let app = app.configure_runtime(|builder| {
        builder.max_blocking_threads(1);
    });
    let scenario = scenario();
    let app = match scenario.as_str() {
        "service" => app.service(Service::new("stuck", |_lifecycle| async { block() })),
        "blocking-service" => app.service(Service::blocking("stuck", |_lifecycle| block())),
        "raw-task" => return app.run(raw_task()),
        _ => app,
    };
    app.run(async move {
        match scenario.as_str() {
            "one-worker" => one_worker(),
            "all-workers" => all_workers(),
            "main" => block(),
            "blocking-sessions" => blocking_sessions(),
            "raw-blocking" => drop(tokio::task::spawn_blocking(block)),
            "service" | "blocking-service" => return,
            other => panic!("no scenario {other}"),
        }
        Lifecycle::current().stopping().await;
    })
}

/// A task that is no session holds the last handle of a service's state, and a worker.
async fn raw_task() {
    let (handle, mut handles) = mpsc::channel::<()>(1);
    canstop::observe(|event| {
        if let Event::WorkersHeld { workers, .. } = event {
            println!("{workers} held");
        }
    });
    canstop::start(Service::once("database", |lifecycle: Lifecycle| async move {
        tokio::spawn(async move {
            block();
            drop(handle);
        });
        lifecycle.stopping().await;
        while handles.recv().await.is_some() {}
    }));
}

fn block() {
    println!("{READY}");
    thread::sleep(Duration::from_secs(60));
}

async fn blocks() {
    block();
}

async fn blocks_a_worker() {
    block();
}

/// A healthy session runs as well: the stuck one must not delay it.
fn one_worker() {
    spawn_session!(async {
        let lifecycle = Lifecycle::current();
        spawn_session!(blocks_a_worker());
        lifecycle.stopping().await;
        println!("the healthy session is done");
    });
}

/// A third session never gets a thread.
fn all_workers() {
    for _ in 0..3 {
        spawn_session!(blocks());
    }
}

/// The pool has one thread, so the second closure waits for it.
fn blocking_sessions() {
    for _ in 0..2 {
        spawn_blocking_session!(block);
    }
}
