use canstop::Lifecycle;

type ServiceOutput<T> = Result<T, std::io::Error>;

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> Outcom<()> {
    lifecycle.stopping().await;
    Ok(())
}

fn main() -> ServiceOutput<()> {
    Ok(())
}
