struct Pool;

impl Pool {
    #[canstop::test]
    async fn stops(&self) {
        tokio::task::yield_now().await;
    }
}

fn main() {
    drop(Pool);
}
