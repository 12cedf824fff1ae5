//! Listeners: which clients are accepted at a stop, without descriptors, beyond a limit, and on passed sockets.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use canstop::{Lifecycle, Listener, Stream, spawn_session};
use canstop_tests::{READY, scenario};
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn address() -> String {
    env::args().nth(2).unwrap_or_else(|| "127.0.0.1:0".to_owned())
}

#[canstop::main(grace = "5s")]
async fn main() {
    match scenario().as_str() {
        // Executes itself with the socket as descriptor 3, as a process manager does.
        "passed" => {
            let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"";
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]).arg(env::current_exe().expect("a path")).args(["serve", &address()]);
            command.env("LISTEN_FDNAMES", env::args().nth(3).expect("the name of the socket"));
            println!("passed {}", socket.local_addr().expect("it is bound"));
            command.stdin(Stdio::from(std::os::fd::OwnedFd::from(socket)));
            panic!("{}", command.exec());
        }
        "few descriptors" => {
            setrlimit(Resource::Nofile, Rlimit { current: Some(32), maximum: Some(32) }).expect("a lower limit");
        }
        _ => {}
    }
}

#[canstop::service(restart = "never")]
async fn web(lifecycle: Lifecycle) -> anyhow::Result<()> {
    let mut listener = canstop::listen("web", address()).await?;
    if scenario() == "limit" {
        listener = listener.limit(2);
    }
    println!("listening on {listener}");
    lifecycle.ready();
    println!("{READY}");
    match scenario().as_str() {
        // As if every worker were blocked until the stop: clients that connect wait in the kernel's queue.
        "queue" => lifecycle.stopping().await,
        "queue by hand" => {
            lifecycle.stopping().await;
            return Ok(());
        }
        _ => {}
    }
    serve(listener).await
}

async fn serve(listener: Listener) -> anyhow::Result<()> {
    while let Some(accepted) = listener.accept().await {
        let (socket, peer) = accepted?;
        spawn_session!(answer(socket), %peer);
    }
    println!("all are accepted");
    Ok(())
}

/// Echoes until the client disconnects.
async fn answer(mut socket: Stream) -> std::io::Result<()> {
    let mut bytes = [0; 64];
    loop {
        match tokio::time::timeout(Duration::from_secs(4), socket.read(&mut bytes)).await {
            Ok(Ok(0)) | Err(_) => return Ok(()),
            Ok(read) => socket.write_all(&bytes[..read?]).await?,
        }
    }
}
