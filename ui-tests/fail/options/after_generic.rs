use canstop::Lifecycle;

trait Store: Clone + Send + 'static {}

#[canstop::service]
async fn database<S: Store>(lifecycle: Lifecycle, _store: S) {
    lifecycle.stopping().await;
}

#[canstop::service(after(database))]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
