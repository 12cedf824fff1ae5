use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle, port: u16) {
    lifecycle.stopping().await;
    println!("{port}");
}

#[canstop::main(services(http))]
async fn main() {}
