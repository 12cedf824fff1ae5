//! Three services, each of which needs the next: `http`, `cache` and `writer`.
//!
//! Run it and press Ctrl-C. They start from the bottom up, each as soon as the one below it is ready, and
//! stop from the top down, each when the one above it is gone. So the visit that `http` began just before
//! the end still finds the cache open, and the cache still finds the writer.
//!
//! `cargo run --example dependencies`

use std::sync::Arc;
use std::time::Duration;

use canstop::{Lifecycle, spawn_session};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::sleep;

type Line = String;

/// Writes what it is sent, and on a stop what is left.
#[canstop::service(ready = "notify", restart = "never")]
async fn writer(lifecycle: Lifecycle, mut lines: UnboundedReceiver<Line>) {
    println!("writer: opening the book");
    sleep(Duration::from_millis(100)).await;
    lifecycle.ready();
    // The channel ends when the cache, which sends, is gone.
    let mut written = 0;
    while let Some(_line) = lines.recv().await {
        written += 1;
    }
    println!("writer: {written} lines are in the book");
}

/// Keeps what it hears, and hands it on when it stops.
#[canstop::service(ready = "notify", restart = "never", after(writer))]
async fn cache(lifecycle: Lifecycle, mut visits: UnboundedReceiver<Line>, book: UnboundedSender<Line>) {
    println!("cache: warming up");
    sleep(Duration::from_millis(100)).await;
    lifecycle.ready();
    let mut kept = Vec::new();
    while let Some(visit) = visits.recv().await {
        kept.push(visit);
    }
    println!("cache: handing on {} lines", kept.len());
    for line in kept {
        // The writer stops after this service.
        let _ = book.send(line);
    }
}

/// Has a visitor every 50 ms, who stays for 100.
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
    // The order of these lines does not matter.
    canstop::start(http(Arc::new(visits)));
    canstop::start(cache(heard, book));
    canstop::start(writer(lines));
}
