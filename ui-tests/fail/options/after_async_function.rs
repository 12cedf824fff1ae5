use canstop::Lifecycle;

async fn writer(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

#[canstop::service(after(writer))]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
