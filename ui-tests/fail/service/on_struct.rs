#[canstop::service]
pub struct Server {
    port: u16,
}

fn main() {
    println!("{}", Server { port: 80 }.port);
}
