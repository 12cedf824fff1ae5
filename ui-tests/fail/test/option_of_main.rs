#[canstop::test(worker_threads = 2)]
async fn stops() {
    tokio::task::yield_now().await;
}

fn main() {}
