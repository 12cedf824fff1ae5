use canstop::Lifecycle;

#[canstop::service(worker_threads = 2)]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
