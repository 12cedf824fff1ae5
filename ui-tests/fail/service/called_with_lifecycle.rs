use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle, port: u16) {
    lifecycle.stopping().await;
    println!("{port}");
}

#[canstop::main]
async fn main() {
    canstop::start(http(Lifecycle::current(), 80));
}
