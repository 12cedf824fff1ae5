#![deny(warnings)]

use canstop::Lifecycle;

/// As axum's `WebSocketUpgrade`.
struct Upgrade;

impl Upgrade {
    fn on_upgrade<F: FnOnce(u8)>(self, _callback: F) {}
}

#[canstop::service]
async fn http(lifecycle: Lifecycle) {
    let handler = |upgrade: Upgrade| upgrade.on_upgrade(|socket| println!("{socket} is lost"));
    handler(Upgrade);
    lifecycle.stopping().await;
}

fn main() {}
