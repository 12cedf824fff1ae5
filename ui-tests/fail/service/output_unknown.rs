use canstop::Lifecycle;

type Outcome = Result<(), std::io::Error>;

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> Outcom {
    lifecycle.stopping().await;
    Ok(())
}

fn main() -> Outcome {
    Ok(())
}
