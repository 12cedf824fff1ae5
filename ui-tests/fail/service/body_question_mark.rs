use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) {
    let listener = std::net::TcpListener::bind("127.0.0.1:80")?;
    lifecycle.stopping().await;
    drop(listener);
}

fn main() {}
