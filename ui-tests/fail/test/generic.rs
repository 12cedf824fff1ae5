#[canstop::test]
async fn stops<T>() {
    tokio::task::yield_now().await;
}

fn main() {}
