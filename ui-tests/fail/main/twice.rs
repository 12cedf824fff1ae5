#[canstop::main]
#[canstop::main(grace = "5s")]
async fn main() {
    println!("hello");
}
