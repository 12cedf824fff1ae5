use canstop::Lifecycle;

#[canstop::service]
async fn http<'a>(lifecycle: Lifecycle, address: &'a str) {
    lifecycle.stopping().await;
    println!("{address}");
}

fn main() {
    drop(http("127.0.0.1:80"));
}
