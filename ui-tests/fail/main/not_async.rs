#[canstop::main]
fn main() {
    println!("hello");
}
