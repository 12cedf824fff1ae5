//! Three levels: `http` depends on `cache`, and that on `writer`, whose queue is full of rows. A session of the
//! root is stuck forever. Of the 3 s the cache and the writer have 0.6 s reserved each, and the writer needs most
//! of it.

use std::future::pending;
use std::time::Duration;

use canstop::{Lifecycle, spawn_session};
use canstop_tests::READY;
use tokio::sync::mpsc;
use tokio::time::sleep;

const ROWS: usize = 400;

#[canstop::main(grace = "3s")]
async fn main() {
    let (rows, queue) = mpsc::channel(ROWS);
    canstop::start(writer(queue));
    canstop::start(http(rows));
    spawn_session!(stuck());
}

async fn stuck() {
    pending::<()>().await;
}

#[canstop::service(after(cache))]
async fn http(lifecycle: Lifecycle, rows: mpsc::Sender<usize>) {
    for row in 0..ROWS {
        rows.send(row).await.expect("the writer stops later");
    }
    println!("{READY}");
    lifecycle.stopping().await;
    println!("http is stopping");
}

#[canstop::service(after(writer))]
async fn cache(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
    println!("the cache is stopping");
}

#[canstop::service(restart = "never")]
async fn writer(lifecycle: Lifecycle, mut queue: mpsc::Receiver<usize>) {
    lifecycle.stopping().await;
    println!("the writer is stopping");
    let mut flushed = 0;
    while let Ok(_row) = queue.try_recv() {
        flushed += 1;
        if flushed % 10 == 0 {
            sleep(Duration::from_millis(10)).await;
        }
    }
    println!("the writer has flushed {flushed} of {ROWS} rows");
}
