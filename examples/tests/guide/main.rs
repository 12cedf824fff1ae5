//! What the guide shows runs: its programs are examples that are started here, its tests are tests of this folder,
//! and each log line that it quotes is one that canstop writes.

#![cfg(unix)]

mod commands;
mod pages;
mod programs;
mod testing;
mod websockets;

use std::net::{SocketAddr, TcpListener};

/// A local address that is free at this moment.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the system has a port");
    listener.local_addr().expect("it is bound")
}
