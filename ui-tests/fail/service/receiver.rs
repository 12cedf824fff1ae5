struct Server;

impl Server {
    #[canstop::service]
    async fn http(&self) {
        std::future::pending().await
    }
}

fn main() {}
