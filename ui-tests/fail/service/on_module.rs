#[canstop::service]
mod server {
    pub fn run() {}
}

fn main() {
    server::run();
}
