//! A server that is stopped after each poll of its service and its connections: a request that was sent is answered.
#![cfg(feature = "http")]

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use canstop::http::{Body, Request, Response, serve, service_fn};
use canstop::testing::Supervisor;
use canstop::{Lifecycle, Service};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

const REQUEST: &[u8] = b"GET /orders/7 HTTP/1.1\r\nhost: shop\r\n\r\n";

/// Serves on a free port, which is written to `address`.
fn shop(address: Arc<Mutex<Option<SocketAddr>>>) -> Service<io::Result<()>> {
    Service::new("shop", move |lifecycle: Lifecycle| {
        let address = address.clone();
        async move {
            let listener = canstop::listen("shop", "127.0.0.1:0").await?;
            *address.lock().unwrap() = listener.local_addr().ok().and_then(|address| address.to_string().parse().ok());
            lifecycle.ready();
            let orders = |_: Request<Body>| async {
                sleep(Duration::from_millis(20)).await;
                Response::new("seven".to_owned())
            };
            serve(listener, service_fn(orders)).await
        }
    })
}

/// Sends two requests on one connection. Returns how many were sent and how many were answered.
async fn orders(address: SocketAddr) -> io::Result<(usize, usize)> {
    let mut connection = TcpStream::connect(address).await?;
    let (mut sent, mut answered) = (0, 0);
    for _ in 0..2 {
        if connection.write_all(REQUEST).await.is_err() {
            break;
        }
        sent += 1;
        let mut answer = Vec::new();
        while !answer.ends_with(b"seven") {
            if connection.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        if answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"seven") {
            answered += 1;
        }
        if String::from_utf8_lossy(&answer).contains("connection: close") {
            break;
        }
    }
    Ok((sent, answered))
}

#[canstop::test(stop = "everywhere")]
async fn a_request_that_was_sent_is_answered(mut sup: Supervisor) {
    let address = Arc::default();
    let started = sup.start(shop(Arc::clone(&address)));
    sup.advance(Duration::from_millis(1)).await;
    // Without an address, the stop came before the service listened.
    let bound = *address.lock().unwrap();
    if let Some(address) = bound {
        for _ in 0..3 {
            match orders(address).await {
                Ok((sent, answered)) => assert_eq!(sent, answered, "every request that was sent is answered"),
                // The listener is gone: the connection never was.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => break,
                Err(error) => panic!("a connection was lost: {error}"),
            }
        }
    }
    drop(started);
    assert!(sup.stop().await.is_clean());
}
