//! Three services, each of which depends on the next: `http`, `cache` and `writer`.
//!
//! Run it and press Ctrl-C. The services start from the bottom up, each as soon as its dependency is ready, and
//! stop from the top down, each when its dependent has stopped. So a visit that `http` accepted just before
//! the stop still reaches the cache, and the cache still reaches the writer.
//!
//! `cargo run --example dependencies`

use std::sync::Arc;
use std::time::Duration;

use canstop::{Lifecycle, spawn_session};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::sleep;

type Line = String;

/// Writes the lines it receives, including those left at a stop.
#[canstop::service(ready = "notify", restart = "never")]
async fn writer(lifecycle: Lifecycle, mut lines: UnboundedReceiver<Line>) {
    println!("writer: opening the book");
    sleep(Duration::from_millis(100)).await;
    lifecycle.ready();
    // The channel closes when the cache, its only sender, has stopped.
    let mut written = 0;
    while let Some(_line) = lines.recv().await {
        written += 1;
    }
    println!("writer: {written} lines are in the book");
}

/// Keeps the visits it receives, and sends them to the writer when it stops.
#[canstop::service(ready = "notify", restart = "never", after(writer))]
async fn cache(lifecycle: Lifecycle, mut visits: UnboundedReceiver<Line>, book: UnboundedSender<Line>) {
    println!("cache: warming up");
    sleep(Duration::from_millis(100)).await;
    lifecycle.ready();
    let mut kept = Vec::new();
    while let Some(visit) = visits.recv().await {
        kept.push(visit);
    }
    println!("cache: sending {} lines", kept.len());
    for line in kept {
        // The writer stops after this service.
        let _ = book.send(line);
    }
}

/// Accepts a visitor every 50 ms, who stays for 100 ms.
#[canstop::service(after(cache))]
async fn http(lifecycle: Lifecycle, visits: Arc<UnboundedSender<Line>>) {
    println!("http: open");
    let mut visitors = 0;
    while lifecycle.run_until_stopping(sleep(Duration::from_millis(50))).await.is_some() {
        visitors += 1;
        let visits = Arc::clone(&visits);
        spawn_session!(async move {
            sleep(Duration::from_millis(100)).await;
            let _ = visits.send(format!("visitor {visitors}"));
        });
    }
    println!("http: closed after {visitors} visitors");
}

#[canstop::main]
async fn main() {
    tracing_subscriber::fmt().init();
    let (visits, heard) = mpsc::unbounded_channel();
    let (book, lines) = mpsc::unbounded_channel();
    // The order of these calls does not matter: `after` decides.
    canstop::start(http(Arc::new(visits)));
    canstop::start(cache(heard, book));
    canstop::start(writer(lines));
}
