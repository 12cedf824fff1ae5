use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle, answer: impl Fn(u32) -> u32 + Send + Sync + 'static) {
    lifecycle.stopping().await;
    println!("{}", answer(1));
}

fn main() {}
