use canstop::Lifecycle;

#[canstop::service]
#[canstop::service(manual)]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
