use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle, port: u16) -> Option<u16> {
    lifecycle.stopping().await;
    Some(port)
}

fn main() {
    drop(http(80));
}
