#[canstop::service(allow(raw_spwan))]
async fn http(lifecycle: canstop::Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
