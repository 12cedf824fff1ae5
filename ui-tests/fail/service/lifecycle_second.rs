use canstop::Lifecycle;

#[derive(Clone)]
struct Pool;

#[canstop::service]
async fn http(pool: Pool, lifecycle: Lifecycle) {
    drop(pool);
    lifecycle.stopping().await;
}

fn main() {}
