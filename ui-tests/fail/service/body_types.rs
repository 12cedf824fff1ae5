use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) {
    let port: u16 = "80";
    lifecycle.stopping().await;
    println!("{port}");
}

fn main() {}
