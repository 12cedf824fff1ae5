use canstop::Lifecycle;

#[canstop::service]
async fn database(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

#[canstop::service(bound_to(database), restart = "never")]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

#[canstop::main]
async fn main() {}
