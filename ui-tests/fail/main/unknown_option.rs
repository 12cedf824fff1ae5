#[canstop::main(graec = "5s")]
async fn main() {}
