use canstop::Lifecycle;

#[canstop::service(crate = supervision)]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
