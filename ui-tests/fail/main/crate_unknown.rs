#[canstop::main(crate = supervision)]
async fn main() {}
