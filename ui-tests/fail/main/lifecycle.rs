use canstop::Lifecycle;

#[canstop::main]
async fn main(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}
