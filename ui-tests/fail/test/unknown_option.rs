#[canstop::test(graec = "2s")]
async fn stops() {
    tokio::task::yield_now().await;
}

fn main() {}
