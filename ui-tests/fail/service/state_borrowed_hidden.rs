use canstop::Lifecycle;

#[derive(Clone)]
struct Config<'a>(&'a str);

#[canstop::service]
async fn http(lifecycle: Lifecycle, config: Config) {
    lifecycle.stopping().await;
    println!("{}", config.0);
}

fn main() {
    drop(http(Config("127.0.0.1:80")));
}
