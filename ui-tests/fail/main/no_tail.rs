#[canstop::main]
async fn main() -> anyhow::Result<()> {
    println!("hello");
}
