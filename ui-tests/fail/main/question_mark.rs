#[canstop::main]
async fn main() {
    let text = std::fs::read_to_string("config")?;
    println!("{text}");
}
