#[tokio::test]
#[canstop::test]
async fn stops() {
    tokio::task::yield_now().await;
}

fn main() {}
