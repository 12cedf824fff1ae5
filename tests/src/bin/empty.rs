//! A program with nothing to supervise.

#[canstop::main(grace = "1s")]
async fn main() {
    println!("main is done");
}
