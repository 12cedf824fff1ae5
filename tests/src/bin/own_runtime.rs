//! A service with a runtime of its own. The first argument says what is shown. For a writer, whose buffer must
//! reach the file of the second argument while every worker of the program is blocked, it says whether the
//! writer has a runtime of its own or shares the program's.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use canstop::{App, Lifecycle, Service, spawn_blocking_session, spawn_session};
use canstop_tests::{READY, scenario};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Handle, Id};
use tokio::sync::{mpsc, oneshot};

const WORKERS: usize = 2;
const RECORDS: usize = 218;
const RECORD: [u8; 100] = [7; 100];

fn main() -> ExitCode {
    let app = App::new().grace(Duration::from_secs(2)).worker_threads(WORKERS);
    match scenario().as_str() {
        "own" => app.run(block_every_worker(own_writer)),
        "shared" => app.run(block_every_worker(shared_writer)),
        "members" => app.service(members()).run(async {}),
        "restarts" => app.service(restarts(Arc::default())).run(async {}),
        "stuck" => app.service(stuck()).run(async {}),
        "held-up" => app.run(hold_up_the_collector()),
        "no-descriptors" => app.run(async {
            let limit = Rlimit { current: Some(3), ..getrlimit(Resource::Nofile) };
            setrlimit(Resource::Nofile, limit).expect("a program may lower its limit");
            canstop::start(members());
        }),
        other => panic!("no scenario {other}"),
    }
}

/// What a writer owns.
struct Writer {
    records: mpsc::Receiver<[u8; 100]>,
    all_buffered: oneshot::Sender<()>,
    path: PathBuf,
    on_drop: DropNote,
}

/// State whose drop is seen.
struct DropNote;

impl Drop for DropNote {
    fn drop(&mut self) {
        println!("the state is dropped on {}", thread_name());
    }
}

#[canstop::service(name = "writer", own_runtime, restart = "never")]
async fn own_writer(lifecycle: Lifecycle, writer: Writer) -> anyhow::Result<()> {
    writer.write_behind(&lifecycle).await
}

#[canstop::service(name = "writer", restart = "never")]
async fn shared_writer(lifecycle: Lifecycle, writer: Writer) -> anyhow::Result<()> {
    writer.write_behind(&lifecycle).await
}

impl Writer {
    /// Buffers until the stop, and then writes everything at once.
    async fn write_behind(self, lifecycle: &Lifecycle) -> anyhow::Result<()> {
        let Self { mut records, all_buffered, path, on_drop } = self;
        let mut buffer = Vec::new();
        for _ in 0..RECORDS {
            buffer.extend(records.recv().await.expect("main sends all records"));
        }
        let _ = all_buffered.send(());
        lifecycle.stopping().await;
        let flush = async move { std::fs::write(path, buffer) };
        spawn_session!("flush", flush).await??;
        drop(on_drop);
        Ok(())
    }
}

/// Makes the writer a dependency. Once the workers are blocked, it never gets one to hear its stop.
fn front() -> Service<()> {
    Service::new("front", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }).after("writer")
}

async fn block_every_worker(writer: fn(Writer) -> Service<anyhow::Result<()>>) {
    let (sender, records) = mpsc::channel(RECORDS);
    let (all_buffered, buffered) = oneshot::channel();
    let path = std::env::args_os().nth(2).expect("a path").into();
    canstop::start(writer(Writer { records, all_buffered, path, on_drop: DropNote }));
    canstop::start(front());
    let block = async move {
        for _ in 0..RECORDS {
            sender.send(RECORD).await.expect("the writer receives");
        }
        buffered.await.expect("the writer buffers");
        block_workers();
        println!("{READY}");
    };
    // On the main thread, which is no worker.
    tokio::join!(canstop::run(), block);
}

/// Stops after the collector, and has a session until then.
#[canstop::service(restart = "never")]
async fn store(lifecycle: Lifecycle, has_session: oneshot::Sender<()>) {
    let stopping = lifecycle.stopping();
    spawn_session!("of the store", stopping);
    let _ = has_session.send(());
    lifecycle.stopping().await;
}

/// Collects until every sender is dropped.
#[canstop::service(own_runtime, after(store), restart = "never")]
async fn collector(_lifecycle: Lifecycle, mut records: mpsc::Receiver<[u8; 100]>) {
    while records.recv().await.is_some() {}
}

/// Every worker is blocked by a session, and a session that is queued behind them has the last sender.
async fn hold_up_the_collector() {
    let (sender, records) = mpsc::channel(RECORDS);
    let (has_session, store_has_session) = oneshot::channel();
    canstop::start(store(has_session));
    canstop::start(collector(records));
    canstop::start(
        Service::new("front", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }).after("collector"),
    );
    let block = async move {
        store_has_session.await.expect("the store starts");
        block_workers();
        spawn_session!("holds a sender", async move {
            Lifecycle::current().stopping().await;
            drop(sender);
        });
        println!("{READY}");
    };
    tokio::join!(canstop::run(), block);
}

/// Returns when a session blocks each worker.
fn block_workers() {
    let all_block = Arc::new(Barrier::new(WORKERS + 1));
    for _ in 0..WORKERS {
        let all_block = Arc::clone(&all_block);
        spawn_session!("blocks", async move {
            all_block.wait();
            thread::sleep(Duration::from_secs(60));
        });
    }
    all_block.wait();
}

fn thread_name() -> String {
    thread::current().name().unwrap_or("a thread without a name").to_owned()
}

/// Prints what a piece of code belongs to, and which thread it is on.
fn print_home(what: &str) {
    println!("{what}: {:?} on {}", Lifecycle::current(), thread_name());
}

/// Everything that it spawns belongs to it, and runs in its runtime.
#[canstop::service(own_runtime, manual, allow(raw_spawn))]
async fn members(lifecycle: Lifecycle) -> anyhow::Result<()> {
    let own = Handle::current().id();
    let is_own = move || assert_eq!(Handle::current().id(), own);
    print_home("the body");
    let session = spawn_session!("session", async move {
        is_own();
        print_home("a session");
    });
    session.await?;
    let blocking = spawn_blocking_session!("blocking", move || {
        is_own();
        print_home("a blocking session");
        spawn_session!("of-blocking", async move {
            is_own();
            print_home("a session of a blocking session");
        })
    });
    blocking.await?.await?;
    let handle = Handle::current();
    let visitor = spawn_blocking_session!("visitor", move || {
        thread::spawn(move || {
            let _entered = handle.enter();
            is_own();
            print_home("a thread that enters the runtime");
        })
        .join()
    });
    visitor.await?.expect("the thread does not panic");
    let task = tokio::spawn(async move {
        is_own();
        print_home("a plain task");
    });
    task.await?;
    let stopping = lifecycle.stopping();
    spawn_session!("drains", async move {
        stopping.await;
        tokio::task::yield_now().await;
        println!("a session drains on {}", thread_name());
    });
    println!("{READY}");
    lifecycle.stopping().await;
    Ok(())
}

/// Fails twice. Each run finds itself in a new runtime, and a session of the first run goes on in its own.
#[canstop::service(own_runtime, backoff = "1ms..2ms")]
async fn restarts(lifecycle: Lifecycle, earlier: Arc<Mutex<Vec<Id>>>) -> anyhow::Result<()> {
    let own = Handle::current().id();
    let run = {
        let mut earlier = earlier.lock().expect("nothing panics while it holds the ids");
        assert!(!earlier.contains(&own), "a run has a runtime of its own");
        earlier.push(own);
        earlier.len()
    };
    println!("run {run}");
    if run == 1 {
        spawn_session!("of-the-first-run", async move {
            Lifecycle::current().stopping().await;
            assert_eq!(Handle::current().id(), own);
            println!("the session of the first run drains");
        });
        tokio::task::yield_now().await;
    }
    anyhow::ensure!(run == 3, "run {run} fails");
    println!("{READY}");
    lifecycle.stopping().await;
    Ok(())
}

/// Holds its own thread.
#[canstop::service(own_runtime, manual, allow(blocking_call))]
async fn stuck(_lifecycle: Lifecycle) {
    println!("{READY}");
    thread::sleep(Duration::from_secs(60));
}
