//! Connections that leave HTTP, during a stop.
#![cfg(unix)]

use std::time::Duration;

use canstop_tests::client::{Client, Frame, WebSocket};
use canstop_tests::{Probe, Signal, place_of};
use hyper::ext::Protocol;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn start(scenario: &str) -> (Probe, String) {
    let mut probe = Probe::start(env!("CARGO_BIN_EXE_serving"), &[scenario]);
    let address = probe.wait_until_listening();
    (probe, address)
}

/// A websocket that has repeated a word.
fn open(address: &str, path: &str) -> WebSocket {
    let mut websocket = Client::connect(address).upgrade(path);
    websocket.say("hello").expect("it is open");
    assert_eq!(websocket.read().expect("it is repeated"), Frame::Text("hello".to_owned()));
    websocket
}

#[test]
fn a_websocket_in_a_session_says_goodbye_at_the_stop() {
    let (mut probe, address) = start("canstop");
    let mut websocket = open(&address, "/chat/300");
    probe.signal(Signal::Terminate);
    assert_eq!(websocket.read().expect("a goodbye"), Frame::Text("goodbye".to_owned()));
    assert_eq!(websocket.read().expect("a close"), Frame::Close);
    let finished = probe.finish();
    finished.exited(0).printed("said goodbye").within(Duration::from_secs(2));
    // The connection's own session ended when the connection left HTTP.
    finished.ended_with(&["1 sessions drained, 0 abandoned"]);
}

#[test]
fn a_raw_websocket_is_waited_for() {
    let (mut probe, address) = start("canstop");
    let mut websocket = open(&address, "/raw/300");
    probe.signal(Signal::Terminate);
    assert_eq!(websocket.read().expect("a goodbye"), Frame::Text("goodbye".to_owned()));
    assert_eq!(websocket.read().expect("a close"), Frame::Close);
    probe.finish().exited(0).printed("said goodbye").ended_with(&["1 sessions drained, 0 abandoned"]);
}

#[test]
fn plain_axum_loses_a_raw_websocket() {
    let (probe, address) = start("axum");
    let mut websocket = open(&address, "/raw/300");
    // The control must fail: the program says that all is well.
    let finished = probe.terminate();
    finished.exited(0).never_printed("said goodbye").ended_with(&["0 abandoned, exit code 0"]);
    assert!(websocket.read().is_err());
}

#[test]
fn a_websocket_that_does_not_end_is_named() {
    let session = |text| {
        let place = place_of("serving", text);
        format!("abandoned: session `upgrade` at {place} in canstop::http::upgrade of service `http`")
    };
    for (path, named) in [
        ("/chat/60000", session("upgrade.on_upgrade(canstop::http::upgrade(")),
        ("/extracted/60000", session(".spawn_session(move |socket|")),
        ("/raw/60000", "abandoned: GET /raw/{ms} of service `http`".to_owned()),
    ] {
        let (mut probe, address) = start("canstop");
        let websocket = open(&address, path);
        let mut status = Client::connect(&address);
        status.get("/status");
        let text = status.answer().expect("an answer");
        assert_eq!(text.contains("1 x GET /raw/{ms}"), path.contains("raw"), "{text}");
        drop(status);
        probe.signal(Signal::Terminate);
        let finished = probe.finish();
        drop(websocket);
        finished.exited(124).ended_with(&["1 abandoned"]).logged(&[&named, "waiting"]);
    }
}

#[test]
fn a_closed_websocket_leaves_nothing_to_wait_for() {
    for path in ["/chat/60000", "/raw/60000"] {
        let (probe, address) = start("canstop");
        drop(open(&address, path));
        let mut status = Client::connect(&address);
        loop {
            status.get("/status");
            let text = status.answer().expect("an answer");
            if !text.contains("upgrade") && !text.contains("GET /raw") {
                break;
            }
        }
        drop(status);
        probe.terminate().exited(0).within(Duration::from_secs(1)).ended_with(&["0 abandoned"]);
    }
}

/// Over HTTP/2 the connection stays, and a websocket is one of its streams.
#[tokio::test]
async fn a_websocket_over_http2_says_goodbye_at_the_stop() {
    // A goodbye may take longer than a client may stall.
    for path in ["/chat/2600", "/raw/2600"] {
        let (mut probe, address) = start("canstop");
        let stream = tokio::net::TcpStream::connect(&address).await.expect("it listens");
        let (mut client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("it speaks HTTP/2");
        tokio::spawn(connection);
        let request = Request::connect(format!("http://{address}{path}"))
            .header("sec-websocket-version", "13")
            .extension(Protocol::from_static("websocket"))
            .body(String::new())
            .expect("a request");
        let response = client.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        let mut websocket = TokioIo::new(hyper::upgrade::on(response).await.expect("it is upgraded"));
        websocket.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.expect("it is open");
        let mut frame = [0; 4];
        websocket.read_exact(&mut frame).await.expect("it is repeated");
        assert_eq!(&frame, b"\x81\x02hi");

        probe.signal(Signal::Terminate);
        let mut goodbye = [0; 11];
        websocket.read_exact(&mut goodbye).await.expect("a goodbye");
        assert_eq!(&goodbye, b"\x81\x07goodbye\x88\x00");
        drop(websocket);
        let finished = tokio::task::spawn_blocking(|| probe.finish()).await.expect("no panic");
        finished.exited(0).printed("said goodbye").ended_with(&["0 abandoned"]);
    }
}
