#[canstop::main]
async fn main() -> anyhow::Result<()> {
    5
}
