//! `canstop::http` from its clients' side, during a stop and before it.
#![cfg(unix)]

use std::time::Duration;

use canstop_tests::client::Client;
use canstop_tests::{Probe, Signal, Stopwatch};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};

fn start(scenario: &str) -> (Probe, String) {
    let mut probe = Probe::start(env!("CARGO_BIN_EXE_serving"), &[scenario]);
    let address = probe.wait_until_listening();
    (probe, address)
}

#[test]
fn a_stop_closes_idle_connections_and_answers_busy_ones() {
    let (mut probe, address) = start("canstop");
    let mut idle = Client::connect(&address);
    idle.get("/quick");
    let quick = idle.answer().expect("an answer");
    assert!(!quick.contains("connection: close"), "{quick}");
    let mut busy = Client::connect(&address);
    busy.get("/slow/1000");
    std::thread::sleep(Duration::from_millis(300));
    let signalled = Stopwatch::start();
    probe.signal(Signal::Terminate);
    assert!(idle.ends_well());
    let closed = signalled.took();
    assert!(closed.at_most(Duration::from_millis(500)), "{closed:?}");
    let slow = busy.answer().expect("an answer");
    assert!(slow.contains("connection: close") && slow.ends_with("slow"), "{slow}");
    assert!(busy.ends_well());
    probe.finish().exited(0);
}

#[test]
fn a_handler_has_all_of_the_grace() {
    let (mut probe, address) = start("canstop");
    let mut client = Client::connect(&address);
    client.get("/slow/3000");
    std::thread::sleep(Duration::from_millis(200));
    probe.signal(Signal::Terminate);
    assert!(client.answer().expect("an answer").ends_with("slow"));
    probe.finish().exited(0);
}

#[test]
fn a_stalled_client_is_no_straggler() {
    for text in [
        "GET /qui",
        "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\nha",
        "POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nha",
        "GET /large HTTP/1.1\r\nhost: test\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM",
    ] {
        let (mut probe, address) = start("canstop");
        let mut client = Client::connect(&address);
        client.send(text);
        std::thread::sleep(Duration::from_millis(200));
        probe.signal(Signal::Terminate);
        let finished = probe.finish();
        finished.exited(0).within(Duration::from_millis(3_000)).ended_with(&["0 abandoned"]);
    }
}

#[test]
fn a_stuck_request_is_named_by_its_route() {
    let (mut probe, address) = start("canstop");
    let mut clients: Vec<_> = (0..2).map(|_| Client::connect(&address)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.get(&format!("/orders/{number}?secret=1"));
        probe.wait_for_line("stuck");
    }
    let mut status = Client::connect(&address);
    status.get("/status");
    let text = status.answer().expect("an answer");
    assert!(text.contains("2 x GET /orders/{id}"), "{text}");
    let mut metrics = Client::connect(&address);
    metrics.get("/metrics");
    let text = metrics.answer().expect("an answer");
    assert!(text.contains("canstop_requests{service=\"http\",route=\"GET /orders/{id}\"} 2\n"), "{text}");
    drop((status, metrics));
    let finished = probe.terminate();
    finished.exited(124).ended_with(&["2 abandoned"]);
    finished.logged(&["waiting for 2 sessions", "; the slowest request is GET /orders/{id} for"]);
    let line = finished.logged(&["abandoned: 2 x GET /orders/{id} of service `http`, oldest", "waiting"]);
    assert!(!line.contains("secret"), "{line}");
}

#[test]
fn without_routes_a_request_is_named_by_its_path() {
    let (mut probe, address) = start("paths");
    let mut client = Client::connect(&address);
    client.get("/orders/7?secret=1");
    probe.wait_for_line("stuck");
    let finished = probe.terminate();
    let line = finished.exited(124).logged(&["abandoned: GET /orders/7 of service `http`, age", "waiting"]);
    assert!(!line.contains("secret"), "{line}");
}

#[test]
fn at_most_twenty_requests_are_named() {
    let (mut probe, address) = start("paths");
    let mut clients: Vec<_> = (0..25).map(|_| Client::connect(&address)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.get(&format!("/orders/{number}"));
        probe.wait_for_line("stuck");
    }
    let mut status = Client::connect(&address);
    status.get("/status");
    let text = status.answer().expect("an answer");
    assert!(text.contains("1 x GET /orders/0,") && text.contains("x others"), "{text}");
    let mut metrics = Client::connect(&address);
    metrics.get("/metrics");
    let text = metrics.answer().expect("an answer");
    // A path is the client's, so it makes no series. One is the request for the metrics itself.
    assert!(text.contains("canstop_requests{service=\"http\",route=\"\"} 26\n"), "{text}");
    assert_eq!(text.matches("canstop_requests{").count(), 1, "{text}");
    probe.terminate().exited(124).ended_with(&["25 abandoned"]);
}

#[test]
fn a_handler_that_blocks_its_thread_is_named() {
    let (mut probe, address) = start("canstop");
    let mut client = Client::connect(&address);
    client.get("/blocked");
    probe.wait_for_line("blocked");
    let finished = probe.terminate();
    finished.exited(124).within(Duration::from_millis(4_250));
    finished.logged(&["GET /blocked of service `http`", "blocking a thread for"]);
}

#[test]
fn an_answer_without_end_is_named() {
    let (mut probe, address) = start("canstop");
    let mut client = Client::connect(&address);
    client.get("/stream");
    probe.wait_for_line("streams");
    let finished = probe.terminate();
    finished.exited(124).within(Duration::from_millis(4_250));
    finished.logged(&["abandoned: GET /stream of service `http`", "waiting"]);
}

#[test]
fn slow_headers_and_bodies_time_out_before_a_stop_too() {
    let (mut probe, address) = start("impatient");
    let mut head = Client::connect(&address);
    head.send("GET /qui");
    assert!(head.ends_well());
    let mut body = Client::connect(&address);
    body.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf");
    let text = body.answer().expect("an answer");
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    let mut whole = Client::connect(&address);
    whole.get("/slow/600");
    assert!(whole.answer().expect("an answer").ends_with("slow"));
    probe.signal(Signal::Terminate);
    probe.finish().exited(0);
}

#[test]
fn an_early_answer_arrives_while_the_body_is_still_sent() {
    let (probe, address) = start("canstop");
    let mut client = Client::connect(&address);
    client.send("POST /early HTTP/1.1\r\nhost: test\r\ncontent-length: 1000000\r\n\r\n");
    // More than the kernel buffers for a client that does not read.
    let sent = client.try_send(&vec![b'x'; 200_000]);
    assert!(sent.is_ok(), "{sent:?}");
    let text = client.answer().expect("an answer");
    assert!(text.ends_with("no body was read"), "{text}");
    drop(client);
    probe.terminate().exited(0);
}

#[test]
fn a_client_that_disconnects_does_not_end_a_shielded_handler() {
    for (scenario, runs_on) in [("canstop", false), ("shield", true)] {
        let (mut probe, address) = start(scenario);
        let mut client = Client::connect(&address);
        client.get("/cut");
        probe.wait_for_line("began");
        client.hang_up();
        std::thread::sleep(Duration::from_millis(100));
        let finished = probe.terminate();
        assert_eq!(finished.times_printed("ran to its end") > 0, runs_on, "{scenario}: {finished}");
        finished.exited(0);
    }
}

/// An HTTP/2 client and the task that drives its connection.
async fn http2(address: &str) -> hyper::client::conn::http2::SendRequest<String> {
    let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let (client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("it speaks HTTP/2");
    tokio::spawn(connection);
    client
}

fn request(address: &str, path: &str) -> Request<String> {
    Request::get(format!("http://{address}{path}")).body(String::new()).expect("a request")
}

#[tokio::test]
async fn http2_finishes_its_requests_and_then_closes() {
    let (mut probe, address) = start("canstop");
    let mut client = http2(&address).await;
    let quick = client.send_request(request(&address, "/quick")).await.expect("an answer");
    assert_eq!(quick.status(), 200);
    let slow: Vec<_> = (0..3).map(|_| tokio::spawn(client.send_request(request(&address, "/slow/1000")))).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    probe.signal(Signal::Terminate);
    for slow in slow {
        assert_eq!(slow.await.expect("no panic").expect("an answer").status(), 200);
    }
    let finished = tokio::task::spawn_blocking(|| probe.finish()).await.expect("no panic");
    finished.exited(0).within(Duration::from_secs(3)).ended_with(&["0 abandoned"]);
    assert!(client.send_request(request(&address, "/quick")).await.is_err(), "it went away");
}

#[tokio::test]
async fn http2_requests_are_named() {
    let (mut probe, address) = start("canstop");
    let mut client = http2(&address).await;
    let stuck: Vec<_> = (0..2).map(|_| tokio::spawn(client.send_request(request(&address, "/orders/1")))).collect();
    let finished = tokio::task::spawn_blocking(move || {
        probe.wait_for_line("stuck");
        probe.wait_for_line("stuck");
        probe.terminate()
    });
    let finished = finished.await.expect("no panic");
    drop(stuck);
    finished.exited(124).logged(&["abandoned: 2 x GET /orders/{id} of service `http`", "waiting"]);
}
