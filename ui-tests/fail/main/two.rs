#[canstop::main]
async fn main() {}

#[canstop::main]
async fn main() {}
