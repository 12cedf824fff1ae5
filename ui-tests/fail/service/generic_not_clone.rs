use canstop::Lifecycle;

trait Store: Send + 'static {}

#[canstop::service]
async fn http<S: Store>(lifecycle: Lifecycle, store: S) {
    lifecycle.stopping().await;
    drop(store);
}

fn main() {}
