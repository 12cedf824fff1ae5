fn http() -> u32 {
    7
}

#[canstop::main(services(http))]
async fn main() {}
