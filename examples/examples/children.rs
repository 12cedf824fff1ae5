//! A service with child services.
//!
//! The `market` starts a stall for each of its names, and fails once because of rain. Its stalls stop first,
//! then the market does, and its next run starts them again. The status shows the tree. Press Ctrl-C to see
//! children stop before their parent.
//!
//! `cargo run --example children`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use canstop::{Lifecycle, ServiceHandle, ServiceState};
use tokio::time::sleep;

#[canstop::service]
async fn market(lifecycle: Lifecycle) -> anyhow::Result<()> {
    static RAINS: AtomicBool = AtomicBool::new(true);
    let stalls = ["apples", "bread", "cheese"].map(|ware| lifecycle.start(stall(Arc::from(ware)).name(ware)));
    if lifecycle.run_until_stopping(all_open(&stalls)).await.is_none() {
        return Ok(());
    }
    println!("market: open\n{}", canstop::status());
    sleep(Duration::from_millis(300)).await;
    anyhow::ensure!(!RAINS.swap(false, Ordering::Relaxed), "it rains");
    println!("market: the sun is out");
    lifecycle.stopping().await;
    println!("market: closed");
    Ok(())
}

async fn all_open(stalls: &[ServiceHandle]) {
    while stalls.iter().any(|stall| stall.status().state != ServiceState::Ready) {
        sleep(Duration::from_millis(10)).await;
    }
}

#[canstop::service]
async fn stall(lifecycle: Lifecycle, ware: Arc<str>) {
    lifecycle.stopping().await;
    sleep(Duration::from_millis(50)).await;
    println!("{ware}: packed up");
}

#[canstop::main]
async fn main() {
    tracing_subscriber::fmt().init();
}
