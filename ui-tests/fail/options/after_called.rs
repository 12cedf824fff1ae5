use canstop::Lifecycle;

#[canstop::service]
async fn writer(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

#[canstop::service(after(writer()))]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
