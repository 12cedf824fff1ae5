//! A load for scripts: sends requests to an address until its input ends, and prints what became of them.
//!
//! `load 127.0.0.1:8080 4 1000` starts four clients with a connection for each request, and four that keep theirs. When
//! the input ends, each four go on until 1,000 more requests are answered.

use std::io::Read as _;
use std::net::SocketAddr;

use canstop_tests::load::{Connections, Load};

fn main() {
    let argument = |number: usize| std::env::args().nth(number).expect("the arguments are an address and a number");
    let address: SocketAddr = argument(1).parse().expect("an address");
    let clients: usize = argument(2).parse().expect("a number of clients");
    let load = |connections| Load::start(address, "/", clients, connections);
    let (one_each, kept) = (load(Connections::OneEach), load(Connections::KeepAlive));
    std::io::stdin().read_to_end(&mut Vec::new()).expect("an input that ends");
    let more: u64 = argument(3).parse().expect("a number of requests");
    one_each.wait_for(more);
    kept.wait_for(more);
    println!("one each: {}", one_each.finish());
    println!("kept: {}", kept.finish());
}
