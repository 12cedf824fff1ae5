//! A store that sends to clients which do not read, and sessions of one place that differ by their label.

use std::future::pending;
use std::thread;

use canstop::{Lifecycle, spawn_blocking_session, spawn_session};
use canstop_tests::{READY, scenario};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

static CHUNK: [u8; 65_536] = [0; 65_536];

async fn send_without_end(mut socket: TcpStream) -> std::io::Result<()> {
    loop {
        socket.write_all(&CHUNK).await?;
    }
}

/// A connection whose client does not read, and has been sent as much as fits.
async fn full_connection() -> std::io::Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    canstop::keep(TcpStream::connect(listener.local_addr()?).await?);
    let (socket, _) = listener.accept().await?;
    socket.writable().await?;
    while socket.try_write(&CHUNK).is_ok() {}
    Ok(socket)
}

async fn wait_without_end() {
    pending().await
}

fn block_without_end() {
    loop {
        thread::park();
    }
}

#[canstop::service]
async fn store(lifecycle: Lifecycle) -> std::io::Result<()> {
    match scenario().as_str() {
        "cancelled" => {
            let socket = full_connection().await?;
            spawn_session!(cancel = "500ms", send_without_end(socket));
        }
        "labelled" => {
            for customer in [7, 8, 7] {
                spawn_session!("sync", label = format!("customer {customer}"), wait_without_end());
            }
            let (begun, begins) = tokio::sync::oneshot::channel();
            spawn_blocking_session!(label = "hash of a file".to_uppercase(), move || {
                begun.send(()).expect("the service waits for it");
                block_without_end();
            });
            begins.await.expect("it begins");
            println!("{}", canstop::status());
        }
        other => panic!("no scenario {other}"),
    }
    println!("{READY}");
    lifecycle.stopping().await;
    Ok(())
}

#[canstop::main(grace = "2s")]
async fn main() {}
