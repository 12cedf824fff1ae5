//! A program whose task blocks its thread as soon as the program stops: `stuck canstop`, and `stuck tokio` for comparison.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use canstop::{App, Lifecycle, Service};
use tokio::signal::unix::{SignalKind, signal};

/// Longer than any manager waits.
const FOR_EVER: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("canstop") => {
            App::new().grace(Duration::from_secs(1)).service(blocks()).run(async { println!("started") })
        }
        Some("tokio") => on_tokio(),
        other => panic!("the argument is canstop or tokio, and not {other:?}"),
    }
}

fn blocks() -> Service<()> {
    Service::new("blocks", |lifecycle: Lifecycle| async move {
        lifecycle.stopping().await;
        thread::sleep(FOR_EVER);
    })
}

#[tokio::main]
async fn on_tokio() -> ExitCode {
    let mut terminate = signal(SignalKind::terminate()).expect("a handler");
    println!("started");
    terminate.recv().await;
    let (blocks, blocked) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let _ = blocks.send(());
        thread::sleep(FOR_EVER);
    });
    // The task runs on another thread. The end of the runtime waits for it.
    let _ = blocked.await;
    ExitCode::SUCCESS
}
