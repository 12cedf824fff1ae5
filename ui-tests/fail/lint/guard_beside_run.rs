#![deny(warnings)]

struct Flush;

fn log() -> Flush {
    Flush
}

#[canstop::main]
async fn main() {
    let _guard = log();
    canstop::run().await;
}
