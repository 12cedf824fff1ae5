//! A producer and a worker, joined by a channel that `main` hands over.
//!
//! Run it, wait a moment and press Ctrl-C. The producer stops first, because it starts `after` the
//! worker; then the worker empties the channel, which is full at that moment, and prints its total.
//! Both print the same count: no number is lost on the way.
//!
//! `cargo run --example workers`

use std::time::Duration;

use canstop::Lifecycle;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Sends number after number until it is told to stop.
#[canstop::service(after(worker))]
async fn producer(lifecycle: Lifecycle, numbers: mpsc::Sender<u64>) -> anyhow::Result<()> {
    println!("producer: sending numbers until Ctrl-C");
    let mut sent = 0;
    // A send that the stop interrupts has sent nothing.
    while let Some(accepted) = lifecycle.run_until_stopping(numbers.send(sent + 1)).await {
        accepted?;
        sent += 1;
    }
    println!("producer: sent {sent} numbers");
    Ok(())
}

/// Counts the multiples of 4.
///
/// It asks its lifecycle nothing: what tells it to stop is the end of the channel, which comes when
/// the producer is gone and every number is read. The receiver cannot be cloned for a second life, so
/// there is none.
#[canstop::service(restart = "never")]
async fn worker(_lifecycle: Lifecycle, mut numbers: mpsc::Receiver<u64>) {
    let (mut received, mut multiples) = (0, 0);
    while let Some(number) = numbers.recv().await {
        sleep(Duration::from_millis(1)).await;
        received += 1;
        if number % 4 == 0 {
            multiples += 1;
        }
    }
    println!("worker: received {received} numbers, {multiples} of them multiples of 4");
}

#[canstop::main]
async fn main() {
    tracing_subscriber::fmt().init();
    let (sender, receiver) = mpsc::channel(64);
    canstop::start(worker(receiver));
    canstop::start(producer(sender));
}
