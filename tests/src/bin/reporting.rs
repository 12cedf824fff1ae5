//! Programs whose reporting meets what a program may do to it: a subscriber that panics, filters or
//! stalls, errors whose code fails, a panic hook of their own, and what watches the program.

use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use canstop::{App, Event, Lifecycle, Service, spawn_session};
use canstop_tests::{READY, scenario};
use tokio::time::sleep;

fn main() -> ExitCode {
    let app = App::new().grace(Duration::from_secs(1));
    match scenario().as_str() {
        "panicking-subscriber" => {
            let exit = app.run(panicking_subscriber());
            println!("after run");
            exit
        }
        "filtered" => app.run(filtered()),
        "stalled" => {
            let exit = app.run(stalled());
            println!("after run");
            exit
        }
        #[cfg(target_os = "linux")]
        "stalled-without-threads" => app.flavor(canstop::Flavor::CurrentThread).run(stalled_without_threads()),
        "fails-to-display" => app.run(fails(|| Unprintable)),
        "circle" => app.run(fails(|| Circle)),
        "own-hook" => app.run(own_hook()),
        "own-hook-early" => app.run(own_hook_early()),
        "observed" => app.run(observed()),
        "watching-session" => app.run(watching_session()),
        "watching-service" => app.service(watching_service().cancel()).run(async {}),
        "kept" => app.run(kept()),
        "unread-stderr" => {
            let _ = app.run(unread_stderr());
            // Its output has no reader; the exit code shows that it came here.
            ExitCode::from(7)
        }
        other => panic!("no scenario {other}"),
    }
}

/// A log that panics at its first line, or stalls from a moment on.
struct Log;

static PANICS: AtomicBool = AtomicBool::new(false);
static STALLS: AtomicBool = AtomicBool::new(false);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!PANICS.swap(false, Ordering::Relaxed), "the log panics");
        while STALLS.load(Ordering::Relaxed) {
            std::thread::park();
        }
        io::stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log(level: tracing::Level) {
    tracing_subscriber::fmt().with_ansi(false).with_max_level(level).with_writer(|| Log).init();
}

async fn panicking_subscriber() {
    PANICS.store(true, Ordering::Relaxed);
    log(tracing::Level::INFO);
    Lifecycle::current().shutdown("enough");
}

async fn filtered() -> Result<(), io::Error> {
    log(tracing::Level::ERROR);
    Err(io::Error::other("no database"))
}

/// Floods a log that stalls with failures, and prints by how many KiB the process has grown.
async fn stalled() {
    let lifecycle = Lifecycle::current();
    log(tracing::Level::INFO);
    STALLS.store(true, Ordering::Relaxed);
    fail_sessions(20_000).await;
    let before = resident_kib();
    fail_sessions(200_000).await;
    println!("grown by {} KiB", resident_kib().saturating_sub(before));
    lifecycle.shutdown("enough");
}

/// A log that stalls, and a system that has no thread to write past it.
#[cfg(target_os = "linux")]
async fn stalled_without_threads() {
    log(tracing::Level::INFO);
    STALLS.store(true, Ordering::Relaxed);
    Lifecycle::current().shutdown("enough");
    canstop::run().await;
    // Less than the stack of a thread is left.
    let size = Some((memory_kib(0) + 1_024) * 1_024);
    rustix::process::setrlimit(rustix::process::Resource::As, rustix::process::Rlimit { current: size, maximum: size })
        .expect("a limit may be lowered");
    assert!(std::thread::Builder::new().spawn(|| {}).is_err(), "a thread can still be had");
}

async fn fail_sessions(count: u32) {
    // In batches: sessions that wait to be polled take memory of their own.
    for _ in 0..count / 500 {
        let batch: Vec<_> =
            (0..500).map(|_| spawn_session!(async { Err::<(), _>(io::Error::other("disk full")) })).collect();
        for session in batch {
            let _ = session.await;
        }
    }
}

fn resident_kib() -> u64 {
    memory_kib(1)
}

/// A field of statm: the first is the whole size of the process, the second what of it is in memory.
fn memory_kib(field: usize) -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(field).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4
}

#[derive(Debug)]
struct Unprintable;

impl Display for Unprintable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Err(fmt::Error)
    }
}

impl Error for Unprintable {}

#[derive(Debug)]
struct Circle;

impl Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("round")
    }
}

impl Error for Circle {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

/// A `main`, and a session, that fail with this.
async fn fails<E: Error + Send + 'static>(error: fn() -> E) -> Result<(), E> {
    let _ = spawn_session!(async move { Err::<(), E>(error()) }).await;
    spawn_session!(sleep(Duration::from_millis(200)));
    Err(error())
}

/// As color-eyre does: the hook replaces the one before and does not call it.
async fn own_hook() {
    let lifecycle = Lifecycle::current();
    std::panic::set_hook(Box::new(|_| {}));
    canstop::start(Service::new("faulty", |_| faulty()).optional());
    let run = tokio::spawn(canstop::run());
    let _ = spawn_session!(async { panic!("the session's words") }).await;
    lifecycle.shutdown("enough");
    let _ = run.await;
}

/// The session ends long before the set-up does.
async fn own_hook_early() {
    std::panic::set_hook(Box::new(|_| {}));
    let _ = spawn_session!(async { panic!("the session's words") }).await;
    canstop::run().await;
}

async fn faulty() {
    panic!("the service's words");
}

async fn observed() {
    static PANICKED: AtomicU64 = AtomicU64::new(0);
    canstop::observe(|_| {
        PANICKED.fetch_add(1, Ordering::Relaxed);
        panic!("a callback panics");
    });
    canstop::observe(|event| {
        let calls = PANICKED.load(Ordering::Relaxed);
        println!("observed {} after {calls} calls of the other", event.kind());
    });
    Lifecycle::current().shutdown("enough");
}

async fn watching_session() {
    canstop::start(Service::new("idle", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }));
    // Before the service is ready, which the session might miss.
    let mut events = canstop::events();
    spawn_session!(async move {
        while let Some(event) = events.next().await {
            println!("watched {}", event.kind());
            if let Event::ServiceReady { .. } = event {
                println!("{READY}");
            }
        }
        println!("the stream ends");
    });
    canstop::run().await;
}

fn watching_service() -> Service<()> {
    Service::new("watcher", |_| async {
        let mut events = canstop::events();
        println!("{READY}");
        while let Some(event) = events.next().await {
            if let Event::StopRequested { .. } = event {
                println!("watched the stop");
            }
        }
    })
}

struct Guard(&'static str);

impl Drop for Guard {
    fn drop(&mut self) {
        // After the last line: a log that goes by a guard has it.
        eprintln!("{} is dropped", self.0);
    }
}

async fn kept() {
    canstop::keep(Guard("the first"));
    canstop::keep(Guard("the second"));
    Lifecycle::current().shutdown("enough");
}

/// Stderr is full before the stop begins.
async fn unread_stderr() {
    let lifecycle = Lifecycle::current();
    std::thread::spawn(|| {
        loop {
            eprintln!("a line without a reader");
        }
    });
    println!("{READY}");
    lifecycle.stopping().await;
}
