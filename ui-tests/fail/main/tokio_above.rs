#[tokio::main]
#[canstop::main]
async fn main() {
    println!("hello");
}
