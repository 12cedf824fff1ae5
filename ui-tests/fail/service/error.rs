use canstop::Lifecycle;

struct Refused;

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> Result<(), Refused> {
    lifecycle.stopping().await;
    Err(Refused)
}

fn main() {}
