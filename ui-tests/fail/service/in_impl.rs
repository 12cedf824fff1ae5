use canstop::Lifecycle;

struct Server;

impl Server {
    #[canstop::service]
    async fn http(lifecycle: Lifecycle) {
        lifecycle.stopping().await;
    }
}

fn main() {}
