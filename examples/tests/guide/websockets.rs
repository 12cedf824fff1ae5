//! The code of the guide's page on websockets, and tests that run it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use canstop::Lifecycle;
use futures_core::Stream;
use futures_util::stream;
use tokio::time::{sleep, timeout};

#[canstop::service]
async fn live(lifecycle: Lifecycle, address: SocketAddr) -> std::io::Result<()> {
    let app = Router::new().route("/chat", get(chat)).route("/ticks", get(ticks));
    let listener = canstop::listen("live", address).await?;
    lifecycle.ready();
    canstop::axum::serve(listener, app).await
}

async fn chat(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(canstop::http::upgrade(talk))
}

/// Returns every message, until the client leaves or the program stops.
async fn talk(mut socket: WebSocket) {
    let lifecycle = Lifecycle::current();
    while let Some(received) = lifecycle.run_until_stopping(socket.recv()).await {
        match received {
            Some(Ok(Message::Text(text))) => {
                if socket.send(Message::Text(text)).await.is_err() {
                    return;
                }
            }
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
        }
    }
    let goodbye = Message::Close(Some(CloseFrame { code: close_code::AWAY, reason: "the server stops".into() }));
    // A client that does not read must not hold up the stop.
    let _ = timeout(Duration::from_secs(1), socket.send(goodbye)).await;
}

/// An event every 100 ms. At the stop the stream ends, and with it the response.
async fn ticks() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let lifecycle = Lifecycle::current();
    Sse::new(stream::unfold((lifecycle, 1), |(lifecycle, tick)| async move {
        lifecycle.run_until_stopping(sleep(Duration::from_millis(100))).await?;
        Some((Ok(Event::default().data(format!("tick {tick}"))), (lifecycle, tick + 1)))
    }))
}

#[cfg(test)]
mod tests {
    use canstop::testing::Supervisor;
    use canstop::{Exit, Signal};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn connect(sup: &mut Supervisor) -> TcpStream {
        let address = crate::free_address();
        sup.start(live(address));
        sup.wait_for(|event| matches!(event, canstop::Event::ServiceReady { .. })).await;
        TcpStream::connect(address).await.expect("the service listens")
    }

    /// Reads up to and including these bytes.
    async fn read_through(connection: &mut TcpStream, end: &[u8]) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end) {
            read.push(connection.read_u8().await.expect("there is more"));
        }
        String::from_utf8(read).expect("it is text")
    }

    #[canstop::test(clock = "real")]
    async fn a_websocket_says_goodbye(mut sup: Supervisor) {
        let mut client = connect(&mut sup).await;
        client
            .write_all(
                b"GET /chat HTTP/1.1\r\nhost: live\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                  sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .await
            .unwrap();
        let head = read_through(&mut client, b"\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        // A text frame of two bytes, with the mask that clients must have, here of zeros.
        client.write_all(b"\x81\x82\0\0\0\0hi").await.unwrap();
        let mut echo = [0; 4];
        client.read_exact(&mut echo).await.unwrap();
        assert_eq!(&echo, b"\x81\x02hi");

        sup.signal(Signal::Terminate);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        let goodbye = [&[0x88, 18, 0x03, 0xe9], &b"the server stops"[..]].concat();
        assert_eq!(rest, goodbye, "a close frame with the code 1001");
        assert_eq!(sup.stop().await.exit, Exit::Clean);
    }

    #[canstop::test(clock = "real")]
    async fn a_stream_of_events_ends_at_the_stop(mut sup: Supervisor) {
        let mut client = connect(&mut sup).await;
        client.write_all(b"GET /ticks HTTP/1.1\r\nhost: live\r\n\r\n").await.unwrap();
        let begin = read_through(&mut client, b"data: tick 2\n\n").await;
        assert!(begin.contains("data: tick 1\n\n"), "{begin}");

        sup.signal(Signal::Terminate);
        let mut rest = String::new();
        client.read_to_string(&mut rest).await.unwrap();
        assert!(rest.ends_with("0\r\n\r\n"), "the last chunk is there: {rest:?}");
        assert_eq!(sup.stop().await.exit, Exit::Clean);
    }
}
