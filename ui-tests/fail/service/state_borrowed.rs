use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle, address: &str) {
    lifecycle.stopping().await;
    println!("{address}");
}

fn main() {
    drop(http("127.0.0.1:80"));
}
