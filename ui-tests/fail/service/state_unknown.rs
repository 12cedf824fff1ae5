use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle, pool: Pool) {
    lifecycle.stopping().await;
    drop(pool);
}

fn main() {}
