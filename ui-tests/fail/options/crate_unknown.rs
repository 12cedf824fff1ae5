#[canstop::service(crate = supervision)]
async fn http(lifecycle: canstop::Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
