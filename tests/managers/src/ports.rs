//! Ports that a server can bind again after a restart.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that the system gives to clients: one of thousands of connections could have a server's port
/// when the server starts again.
const FIRST: u16 = 10_000;
/// Each process begins at a place of its own.
const A_PROCESS: u16 = 40;
const PROCESSES: u32 = 500;

/// A local address with a port that is free, and that no other test of this process has got.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn free_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let place = u16::try_from(std::process::id() % PROCESSES).expect("a small number");
    for _ in 0..A_PROCESS {
        let port = FIRST + place * A_PROCESS + NEXT.fetch_add(1, Ordering::Relaxed) % A_PROCESS;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port is free");
}
