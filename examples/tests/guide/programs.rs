//! Runs the programs that the guide shows.

use std::time::Instant;

use canstop_examples::program::{PATIENCE, Program, Signal};
use canstop_examples::{Answer, Client, ScratchFolder};

use crate::free_address;

#[test]
fn a_tick_that_began_is_reported() {
    let mut program = Program::new("ticker").start();
    program.wait_for("tick 2 begins");
    program.signal(Signal::Interrupt);
    let ended = program.wait();
    ended.has_in_order(&["tick 2 begins", "stopping (SIGINT), within 5 s", "tick 2 is reported"]);
    ended.has_in_order(&["no more ticks", "1 sessions drained, 0 abandoned, exit code 0"]);
    assert_eq!(ended.code, Some(0), "{ended}");
}

fn probe(address: &str, path: &str) -> Option<u16> {
    Some(Client::connect(address).ok()?.get(path).ok()?.status)
}

pub(crate) fn wait_for(address: &str, path: &str, status: u16) {
    let until = Instant::now() + PATIENCE;
    while probe(address, path) != Some(status) {
        assert!(Instant::now() < until, "{path} is never answered with {status}");
        std::thread::yield_now();
    }
}

#[test]
fn the_shop_takes_orders_while_it_drains_and_its_database_closes_last() {
    let folder = ScratchFolder::new_in(env!("CARGO_TARGET_TMPDIR"));
    let health = free_address().to_string();
    let url = format!("sqlite:{}", folder.path().join("shop.db").display());
    let shop =
        || Program::new("shop").env("LISTEN", "127.0.0.1:0").env("DATABASE_URL", &url).env("CANSTOP_HEALTH", &health);

    let mut program = shop().start();
    let address = program.address();
    wait_for(&health, "/readyz", 200);
    let mut client = Client::connect(&address).unwrap();
    let Answer { status, body, .. } = client.post("/orders", "apples").unwrap();
    assert_eq!((status, body.as_str()), (201, "1\n"));

    program.signal(Signal::Terminate);
    wait_for(&health, "/readyz", 503);
    assert_eq!(client.post("/orders", "pears").unwrap().status, 201, "the drain delay has begun");
    let ended = program.wait();
    ended.has_in_order(&[
        "stopping (SIGTERM), within 10 s (code), drain delay 2 s (code)",
        "the database is closed",
        "stopped (SIGTERM)",
        "0 abandoned, exit code 0",
    ]);

    // The environment beats the code.
    let mut program = shop().env("CANSTOP_GRACE", "7s").env("CANSTOP_DRAIN_DELAY", "0s").start();
    let address = program.address();
    wait_for(&health, "/readyz", 200);
    let mut client = Client::connect(&address).unwrap();
    assert_eq!(client.get("/orders/2").unwrap().body, "pears");
    assert_eq!(client.get("/orders/3").unwrap().status, 404);
    program.signal(Signal::Terminate);
    let ended = program.wait();
    assert!(ended.has_written("stopping (SIGTERM), within 7 s (CANSTOP_GRACE)"), "{ended}");
    assert!(!ended.has_written(", drain delay"), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}
