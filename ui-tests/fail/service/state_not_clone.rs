use std::net::TcpListener;

use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle, listener: TcpListener) {
    lifecycle.stopping().await;
    drop(listener);
}

fn main() {
    drop(http(TcpListener::bind("127.0.0.1:0").unwrap()));
}
