use canstop::Lifecycle;

fn writer() -> u32 {
    7
}

#[canstop::service(after(writer))]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
