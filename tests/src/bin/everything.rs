//! A program in which everything is used at once. It must compile without a warning, and stop well.
#![deny(warnings, missing_docs, rust_2018_idioms, unreachable_pub)]
#![deny(clippy::all, clippy::pedantic)]

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use canstop::http::{Body, Request, Response, StatusCode};
use canstop::{
    App, Event, Exit, Flavor, Lifecycle, Ready, Restart, Service, Start, Stream, spawn_blocking_session, spawn_session,
};
use canstop_tests::{READY, linked, scenario};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match scenario().as_str() {
        "attributes" => with_attributes(),
        "by-hand" => by_hand(),
        other => panic!("no scenario {other}"),
    }
}

/// Every option of `main`.
#[canstop::main(
    grace = "5s",
    drain_delay = "10ms",
    flavor = "multi_thread",
    worker_threads = 2,
    health = "127.0.0.1:0",
    status = true,
    metrics = true,
    stall = "30s",
    blocked = SECOND,
    upgrade_timeout = "60s",
    link(canstop_tests),
    crate = ::canstop
)]
async fn with_attributes() -> anyhow::Result<()> {
    canstop::set_grace(Duration::from_secs(4));
    set_up().await?;
    Ok(())
}

/// Every option of an attribute, as a call.
fn by_hand() -> ExitCode {
    App::new()
        .grace(5 * SECOND)
        .drain_delay(SECOND / 100)
        .flavor(Flavor::MultiThread)
        .worker_threads(2)
        .health("127.0.0.1:0")
        .status(true)
        .metrics(true)
        .stall(30 * SECOND)
        .blocked(SECOND)
        .upgrade_timeout(60 * SECOND)
        .link(module_path!())
        .link("canstop_tests")
        .service(described_by_hand())
        .service(Service::blocking("blocks by hand", |lifecycle: Lifecycle| {
            while !lifecycle.is_stopping() {
                thread::sleep(Duration::from_millis(1));
            }
        }))
        .service(Service::once("once", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }))
        .configure_runtime(|builder| {
            builder.thread_name("worker");
        })
        .run(async {
            set_up().await?;
            let report = canstop::run().await;
            println!("the teardown runs");
            anyhow::ensure!(report.exit == Exit::Clean, "{report}");
            anyhow::Ok(())
        })
}

/// Every setter of a service.
fn described_by_hand() -> Service<()> {
    Service::new("by hand", |lifecycle: Lifecycle| async move {
        lifecycle.ready();
        lifecycle.stopping().await;
    })
    .name("described by hand")
    .restart(Restart::Always)
    .backoff(SECOND / 10, SECOND)
    .limit(5, 30 * SECOND)
    .grace(SECOND)
    .start_timeout(30 * SECOND)
    .ready(Ready::Notify)
    .start(Start::Retry)
    .after(state)
    .after("of_a_function")
    .bound_to(generic::<u8>)
    .optional()
    .own_runtime()
}

/// What both programs set up: everything but the program itself.
async fn set_up() -> anyhow::Result<()> {
    let seen = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&seen);
    canstop::observe(move |event| {
        counted.fetch_add(1, Ordering::Relaxed);
        if let Event::Stopped { exit, .. } = event {
            println!("observed the end: {exit:?}");
        }
    });
    canstop::keep(OnDrop("the kept value is dropped"));
    let (buffer, buffered) = mpsc::unbounded_channel();
    canstop::flush("buffer", move || println!("flushed {} records", buffered.len()));
    canstop::start(state(Arc::new(7), buffer));
    canstop::start(generic(1_u8));
    canstop::start(of_a_function(|| ()));
    let handle = canstop::start(linked::by_hand_only());
    sessions().await?;
    spawn_session!("the program's own events", async move {
        let mut events = canstop::events();
        while let Some(event) = events.next().await {
            if matches!(event, Event::ServiceReady { .. }) && everything_is_ready() {
                println!("{} has {:?}", handle.name(), handle.status().state);
                println!("metrics: {}", !canstop::metrics().to_string().is_empty());
                println!("{READY}");
            }
        }
        println!("the events end by themselves: {}", seen.load(Ordering::Relaxed) > 0);
    });
    Ok(())
}

fn everything_is_ready() -> bool {
    let status = canstop::status();
    let waits = |service: &&canstop::ServiceStatus| service.state != canstop::ServiceState::Ready;
    status.services.iter().find(waits).is_none()
}

/// Sessions in all their forms.
async fn sessions() -> anyhow::Result<()> {
    let (peer, id) = ("127.0.0.1:80", 7);
    let lifecycle = Lifecycle::current();
    spawn_session!(work());
    spawn_session!("named", work());
    spawn_session!(grace = "2s", work());
    spawn_session!(cancel = "1s", waits_for_a_client());
    spawn_session!(label = format!("customer {id}"), work());
    spawn_session!("all", in lifecycle, grace = SECOND, label = peer, work(), %peer, id, ?id, deep.name = %peer);
    spawn_session!(or_task, work());
    let stopping = lifecycle.clone();
    thread::spawn(move || drop(spawn_session!(in stopping, work()))).join().expect("it does not panic");
    let answer: u32 = spawn_session!(async { 35 }).await?;
    let sum = spawn_blocking_session!("sum", label = id, move || answer + id, id).await?;
    let same = spawn_blocking_session!(or_task, move || sum).await?;
    anyhow::ensure!(same == 42, "the answer is {same}");
    let foreign = lifecycle.clone();
    let entered = thread::spawn(move || {
        let _guard = foreign.enter();
        drop(spawn_session!(work()));
    });
    entered.join().expect("it does not panic");
    Ok(())
}

async fn work() -> io::Result<()> {
    tokio::task::yield_now().await;
    Ok(())
}

/// The other side never reads, and that is not this program's fault.
async fn waits_for_a_client() {
    std::future::pending::<()>().await;
}

struct OnDrop(&'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

/// Every option of a service that goes with the others.
#[canstop::service(
    name = "described",
    restart = "always",
    backoff = "100ms..10s",
    limit = "5 in 30s",
    grace = "1s",
    start_timeout = "30s",
    start = "retry",
    ready = "notify",
    after(linked::of_the_library, "state"),
    bound_to(generic::<u8>),
    optional,
    own_runtime,
    allow(raw_spawn, blocking_call),
    crate = ::canstop
)]
async fn described(lifecycle: Lifecycle) -> anyhow::Result<()> {
    let hold = lifecycle.hold_ready("the cache is cold");
    tokio::spawn(async {}).await?;
    thread::sleep(Duration::ZERO);
    drop(hold);
    lifecycle.ready();
    lifecycle.on_stopping(|| println!("the callback is called"));
    lifecycle.start(child());
    let token = lifecycle.token();
    while lifecycle.run_until_stopping(sleep(SECOND)).await.is_some() {}
    anyhow::ensure!(lifecycle.is_stopping() && lifecycle.is_draining() && lifecycle.deadline().is_some());
    anyhow::ensure!(lifecycle.program_deadline() >= lifecycle.deadline());
    token.cancelled().await;
    Ok(())
}

#[canstop::service(manual)]
async fn child(lifecycle: Lifecycle) {
    lifecycle.draining().await;
    lifecycle.stopping().await;
}

#[canstop::service(restart = "never")]
async fn state(lifecycle: Lifecycle, number: Arc<u32>, buffer: mpsc::UnboundedSender<u32>) -> anyhow::Result<()> {
    lifecycle.stopping().await;
    Ok(buffer.send(*number)?)
}

#[canstop::service]
async fn generic<T: Clone + Send + Sync + 'static>(lifecycle: Lifecycle, state: T) {
    lifecycle.stopping().await;
    drop(state);
}

#[canstop::service]
async fn of_a_function(lifecycle: Lifecycle, call: impl Fn() + Clone + Send + Sync + 'static) {
    lifecycle.stopping().await;
    call();
}

#[canstop::service(cancel)]
async fn for_ever() -> ! {
    std::future::pending().await
}

#[canstop::service]
fn promised(lifecycle: Lifecycle) -> impl Future<Output = Result<(), io::Error>> + Send {
    let is_promised = ready(());
    async move {
        is_promised.await;
        lifecycle.stopping().await;
        Ok(())
    }
}

#[canstop::service(blocking)]
fn blocks(lifecycle: Lifecycle) {
    let (wake, asleep) = std::sync::mpsc::channel::<Infallible>();
    lifecycle.on_stopping(move || drop(wake));
    assert!(asleep.recv().is_err(), "nothing is sent");
}

#[canstop::service]
async fn echo(lifecycle: Lifecycle) -> io::Result<()> {
    let listener = canstop::listen("echo", "127.0.0.1:0").await?.limit(100);
    lifecycle.ready();
    while let Some(accepted) = listener.accept().await {
        let (stream, peer) = accepted?;
        spawn_session!(greet(stream), %peer);
    }
    Ok(())
}

async fn greet(mut stream: Stream) -> io::Result<()> {
    stream.write_all(b"hello").await
}

#[canstop::service(after(echo))]
async fn http(lifecycle: Lifecycle) -> io::Result<()> {
    let listener = canstop::listen("http", "127.0.0.1:0").await?;
    lifecycle.ready();
    let hello = |_: Request<Body>| ready(Response::new("hello".to_owned()));
    canstop::http::serve(listener, canstop::http::service_fn(hello)).await
}

#[canstop::service(after(echo))]
async fn router(lifecycle: Lifecycle) -> io::Result<()> {
    let listener = canstop::listen("router", "127.0.0.1:0").await?;
    lifecycle.ready();
    let server = canstop::http::Server::new().shield_requests(true);
    let app = axum::Router::new().route("/", axum::routing::get(|| ready(StatusCode::NO_CONTENT)));
    canstop::axum::serve_with(server, listener, app).await
}
