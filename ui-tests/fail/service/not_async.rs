use canstop::Lifecycle;

#[canstop::service]
fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
