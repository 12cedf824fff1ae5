use canstop::Lifecycle;

#[canstop::service(grace)]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
