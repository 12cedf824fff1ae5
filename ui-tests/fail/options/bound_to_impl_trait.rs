use canstop::Lifecycle;

trait Store: Clone + Send + 'static {}

#[canstop::service]
async fn database(lifecycle: Lifecycle, _connections: u32, _store: impl Store) {
    lifecycle.stopping().await;
}

#[canstop::service(bound_to(database))]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
