use canstop::Lifecycle;

#[canstop::service]
async fn database(lifecycle: Lifecycle, connect: impl Fn() + Clone + Send + 'static) {
    connect();
    lifecycle.stopping().await;
}

#[canstop::service(after(database))]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
