use canstop::Lifecycle;

fn database() {}

#[canstop::service(bound_to(database))]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

#[canstop::main]
async fn main() {}
