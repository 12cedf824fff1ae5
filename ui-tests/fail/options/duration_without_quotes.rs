use canstop::Lifecycle;

#[canstop::service(grace = 5s)]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
