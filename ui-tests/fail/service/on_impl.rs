struct Server;

#[canstop::service]
impl Server {
    fn run(self) {}
}

fn main() {
    Server.run();
}
