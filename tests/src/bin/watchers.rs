//! Programs that watch themselves: with `canstop::status()` while every worker is blocked, and with
//! `canstop::events()`, compared with the log.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use canstop::{App, Lifecycle, Service, ServiceState, spawn_session};
use canstop_tests::scenario;

fn main() -> ExitCode {
    match scenario().as_str() {
        "blocked" => blocked(),
        "events" => events(),
        other => panic!("no scenario {other}"),
    }
}

/// Both workers sleep. A separate thread prints the status and requests the stop.
fn blocked() -> ExitCode {
    App::new().grace(Duration::from_secs(1)).worker_threads(2).run(async {
        let watched = Lifecycle::current();
        for _ in 0..2 {
            spawn_session!("sleeper", async { thread::sleep(Duration::from_millis(700)) });
        }
        thread::spawn(move || {
            let _entered = watched.enter();
            let mut status = canstop::status();
            while status.sessions.first().is_none_or(|sessions| sessions.count < 2)
                || status.services.first().is_none_or(|service| service.state != ServiceState::Ready)
            {
                thread::yield_now();
                status = canstop::status();
            }
            println!("{status}");
            watched.shutdown("seen enough");
        });
        canstop::start(idle());
    })
}

#[canstop::service(manual)]
async fn idle(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no holder panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A thread reads the stream to its end; then `main` prints the stream and the log.
fn events() -> ExitCode {
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time().with_max_level(tracing::Level::DEBUG);
    subscriber.with_writer(move || written.clone()).init();
    let (sender, stream) = std::sync::mpsc::channel();
    let exit = App::new().grace(Duration::from_secs(1)).run(async move {
        let mut events = canstop::events();
        let _ = sender.send(thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                let mut kinds = Vec::new();
                while let Some(event) = events.next().await {
                    kinds.push(event.kind());
                }
                kinds
            })
        }));
        canstop::start(idle());
        canstop::start(heals());
        spawn_session!("fails", async { Err::<(), _>(io::Error::other("disk full")) });
        spawn_session!("stuck", std::future::pending::<()>());
    });
    let stream = stream.recv().expect("main has run").join().expect("the stream ends");
    for kind in stream {
        println!("stream {kind}");
    }
    print!("{}", String::from_utf8_lossy(&log.0.lock().expect("no holder panics")));
    exit
}

/// Fails once, and stops the program in its second run.
fn heals() -> Service<anyhow::Result<()>> {
    let mut runs = 0;
    let service = Service::new("heals", move |lifecycle: Lifecycle| {
        runs += 1;
        async move {
            anyhow::ensure!(runs > 1, "connection refused");
            lifecycle.shutdown("seen enough");
            Ok(())
        }
    });
    service.backoff(Duration::from_millis(1), Duration::from_millis(1))
}
