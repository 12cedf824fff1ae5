#[canstop::main(link(my_lib))]
async fn main() {}
