use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> Reslut<(), std::io::Error> {
    lifecycle.stopping().await;
    Ok(())
}

fn main() {}
