//! A producer and a worker, connected by a channel that `main` creates.
//!
//! Run it, wait a moment and press Ctrl-C. The producer stops first, because it starts `after` the
//! worker. Then the worker drains the channel, which is full at that moment, and prints its total.
//! Both print the same count: no number is lost.
//!
//! `cargo run --example workers`

use std::time::Duration;

use canstop::Lifecycle;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Sends numbers until it is stopped.
#[canstop::service(after(worker))]
async fn producer(lifecycle: Lifecycle, numbers: mpsc::Sender<u64>) -> anyhow::Result<()> {
    println!("producer: sending numbers until Ctrl-C");
    let mut sent = 0;
    // A send that the stop interrupts has not sent its number.
    while let Some(accepted) = lifecycle.run_until_stopping(numbers.send(sent + 1)).await {
        accepted?;
        sent += 1;
    }
    println!("producer: sent {sent} numbers");
    Ok(())
}

/// Counts the multiples of 4.
///
/// It does not use its lifecycle: it ends when the channel is closed and empty, that is, when the producer has
/// stopped and every number has been read. The receiver cannot be cloned for a second run, so the service is
/// never restarted.
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
