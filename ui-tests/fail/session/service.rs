use canstop::{Lifecycle, spawn_session};

#[canstop::service]
async fn http(lifecycle: Lifecycle, port: u16) {
    lifecycle.stopping().await;
    println!("{port}");
}

#[canstop::main]
async fn main() {
    spawn_session!(http(80));
}
