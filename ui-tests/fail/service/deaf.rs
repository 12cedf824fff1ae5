#[canstop::service]
async fn http() {
    std::future::pending().await
}

fn main() {}
