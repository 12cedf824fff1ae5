use canstop::Lifecycle;

trait Store {}

#[canstop::service]
async fn http<S: Store>(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
