use canstop::Lifecycle;

#[canstop::service(graec = "5s", restart = "allways", limit = "5")]
fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}
