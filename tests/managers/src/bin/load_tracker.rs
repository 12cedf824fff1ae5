//! A load for scripts: posts events to a tracker until its input ends, never retries, and prints what became of them.
//!
//! `load_tracker 127.0.0.1:8080 16 ids` starts 16 clients with a connection for each event and 16 that keep theirs, and writes the
//! ids of the events that were answered with 201 to the file `ids`. The exit code is 1 if a request failed.

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use canstop_tests::load::{Connections, Load};

/// The pause of a client between two events.
const PAUSE: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    let argument = |number: usize| std::env::args().nth(number).expect("the arguments are an address, clients, a file");
    let address: SocketAddr = argument(1).parse().expect("an address");
    let clients: usize = argument(2).parse().expect("a number of clients");
    let loads = [("one each", Connections::OneEach), ("kept", Connections::KeepAlive)]
        .map(|(name, connections)| (name, Load::post_events(address, clients, connections, PAUSE)));
    std::io::stdin().read_to_end(&mut Vec::new()).expect("an input that ends");
    let (mut failed, mut ids) = (0, String::new());
    for (name, load) in loads {
        let tally = load.finish();
        println!("{name}: {tally}");
        failed += tally.failed();
        tally.created.iter().for_each(|id| ids += &format!("{id}\n"));
    }
    std::fs::write(argument(3), ids).expect("a file for the ids");
    ExitCode::from(u8::from(failed > 0))
}
