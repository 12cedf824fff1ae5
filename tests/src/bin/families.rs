//! Services with children and grandchildren.

use std::future::pending;
use std::time::Duration;

use canstop::{Lifecycle, ServiceState};
use canstop_tests::{READY, scenario};
use tokio::time::sleep;

#[canstop::main(grace = "1s")]
async fn main() {
    let shop = canstop::start(shop());
    if scenario() == "restart" {
        canstop::start(closes(shop));
    }
}

#[canstop::service(manual)]
async fn shop(lifecycle: Lifecycle) {
    lifecycle.start(till());
    lifecycle.stopping().await;
    println!("the shop is stopping");
}

#[canstop::service(manual)]
async fn till(lifecycle: Lifecycle) {
    lifecycle.start(drawer());
    lifecycle.stopping().await;
    println!("the till is stopping");
}

#[canstop::service(manual)]
async fn drawer(lifecycle: Lifecycle) {
    println!("{READY}");
    if scenario() == "stuck" {
        pending::<()>().await;
    }
    lifecycle.stopping().await;
    println!("the drawer is stopping");
}

/// Restarts the shop once its children run, and stops the program when they run again.
#[canstop::service(manual)]
async fn closes(lifecycle: Lifecycle, shop: canstop::ServiceHandle) -> anyhow::Result<()> {
    until_ready("shop/till/drawer").await;
    shop.restart().await?;
    println!("the shop is open again");
    until_ready("shop/till/drawer").await;
    let drawer = status_of("shop/till/drawer").expect("it is ready");
    println!("restarts of the drawer: {}", drawer.restarts);
    lifecycle.shutdown("the evening has come");
    Ok(())
}

async fn until_ready(name: &str) {
    while status_of(name).is_none_or(|service| service.state != ServiceState::Ready) {
        sleep(Duration::from_millis(1)).await;
    }
}

fn status_of(name: &str) -> Option<canstop::ServiceStatus> {
    canstop::status().services.into_iter().find(|service| service.name == name)
}
