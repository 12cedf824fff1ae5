#[canstop::main(services(http))]
async fn main() {}
