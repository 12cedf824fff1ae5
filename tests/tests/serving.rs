//! `canstop::http` from its clients' side, during a stop and before it.
#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use canstop_tests::{Finished, Probe, READY, Signal};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};

const PATIENCE: Duration = Duration::from_secs(15);

fn start(scenario: &str) -> (Probe, String) {
    let mut probe = Probe::start(env!("CARGO_BIN_EXE_serving"), &[scenario]);
    let address = probe.wait_for_start("listening on ");
    probe.wait_for_line(READY);
    (probe, address)
}

fn terminate(mut probe: Probe) -> Finished {
    probe.signal(Signal::Terminate);
    probe.finish()
}

fn connect(address: &str) -> TcpStream {
    let client = TcpStream::connect(address).expect("it listens");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client.set_nodelay(true).expect("an option");
    client
}

fn send(client: &mut TcpStream, text: &str) {
    client.write_all(text.as_bytes()).expect("the program reads");
}

fn get(client: &mut TcpStream, path: &str) {
    send(client, &format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
}

/// Reads a response: its headers, and a body of the length that they declare.
fn answer(client: &mut TcpStream) -> std::io::Result<String> {
    let mut answer = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let read = client.read(&mut bytes)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&bytes[..read]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.unwrap_or(0) {
            return Ok(text);
        }
    }
}

/// Waits for the end of a connection. Returns true if it was closed, and false if it was reset.
fn ends_well(client: &mut TcpStream) -> bool {
    client.read(&mut [0; 16]).is_ok_and(|read| read == 0)
}

/// Clients of every kind at the moment of a stop.
struct Crowd {
    idle: Vec<TcpStream>,
    busy: Vec<TcpStream>,
    queued: Vec<TcpStream>,
    half_head: Vec<TcpStream>,
    half_body: Vec<TcpStream>,
}

/// What happened to these clients.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    unanswered: usize,
    idle_reset: usize,
}

const BUSY: usize = 64;
const QUEUED: usize = 200;
const HALF: usize = 20;

impl Crowd {
    fn gather(address: &str) -> Self {
        // Set `CANSTOP_IDLE_CLIENTS=10000` for the full number; both programs need that many descriptors.
        let idle = std::env::var("CANSTOP_IDLE_CLIENTS").ok().and_then(|idle| idle.parse().ok()).unwrap_or(300);
        let idle = (0..idle).map(|_| {
            let mut client = connect(address);
            get(&mut client, "/quick");
            answer(&mut client).expect("an answer");
            client
        });
        let idle: Vec<_> = idle.collect();
        let with = |count, text: &str| -> Vec<_> {
            (0..count)
                .map(|_| {
                    let mut client = connect(address);
                    send(&mut client, text);
                    client
                })
                .collect()
        };
        let half_head = with(HALF, "GET /quick HTTP/1.1\r\nho");
        let half_body = with(HALF, "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf");
        let busy = with(BUSY, "GET /slow/1500 HTTP/1.1\r\nhost: test\r\n\r\n");
        // The only worker is blocked, so clients that connect now stay in the kernel's queue.
        let mut pausing = connect(address);
        get(&mut pausing, "/quick");
        answer(&mut pausing).expect("an answer");
        get(&mut pausing, "/pause/500");
        std::thread::sleep(Duration::from_millis(100));
        let mut queued = with(QUEUED, "GET /quick HTTP/1.1\r\nhost: test\r\n\r\n");
        queued.push(pausing);
        Self { idle, busy, queued, half_head, half_body }
    }

    /// The stalled clients stay connected, so that they could delay the stop.
    fn judge(self) -> (Outcome, Vec<TcpStream>) {
        let Self { idle, busy, queued, half_head, half_body } = self;
        let whole = busy.into_iter().chain(queued);
        let outcome = Outcome {
            unanswered: whole.map(|mut client| answer(&mut client)).filter(Result::is_err).count(),
            idle_reset: idle.into_iter().map(|mut client| ends_well(&mut client)).filter(|ended| !ended).count(),
        };
        (outcome, half_head.into_iter().chain(half_body).collect())
    }
}

#[test]
fn a_stop_loses_no_whole_request_and_waits_for_no_stalled_client() {
    let (mut probe, address) = start("canstop");
    let crowd = Crowd::gather(&address);
    probe.signal(Signal::Terminate);
    let watch = std::thread::spawn(|| crowd.judge());
    let finished = probe.finish();
    let (outcome, _stalled) = watch.join().expect("a verdict");
    assert_eq!(outcome, Outcome::default(), "{finished}");
    // The slowest whole request takes 1.5 s, and a stalled client is given 1.8 s: half of the time of http.
    finished.exited(0).within(Duration::from_millis(3_500)).ended_with(&["0 abandoned, exit code 0"]);
}

#[test]
fn plain_axum_loses_the_queue_and_waits_for_stalled_clients() {
    let (mut probe, address) = start("axum");
    let crowd = Crowd::gather(&address);
    probe.signal(Signal::Terminate);
    let watch = std::thread::spawn(|| crowd.judge());
    let finished = probe.finish();
    let (outcome, _stalled) = watch.join().expect("a verdict");
    assert!(outcome.unanswered > 0, "the control must fail: {outcome:?}\n{finished}");
    finished.exited(124);
}

#[test]
fn a_stop_closes_idle_connections_and_answers_busy_ones() {
    let (mut probe, address) = start("canstop");
    let mut idle = connect(&address);
    get(&mut idle, "/quick");
    let quick = answer(&mut idle).expect("an answer");
    assert!(!quick.contains("connection: close"), "{quick}");
    let mut busy = connect(&address);
    get(&mut busy, "/slow/1000");
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    probe.signal(Signal::Terminate);
    assert!(ends_well(&mut idle));
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    let slow = answer(&mut busy).expect("an answer");
    assert!(slow.contains("connection: close") && slow.ends_with("slow"), "{slow}");
    assert!(ends_well(&mut busy));
    probe.finish().exited(0);
}

#[test]
fn a_handler_has_all_of_the_grace() {
    let (mut probe, address) = start("canstop");
    let mut client = connect(&address);
    get(&mut client, "/slow/3000");
    std::thread::sleep(Duration::from_millis(200));
    probe.signal(Signal::Terminate);
    assert!(answer(&mut client).expect("an answer").ends_with("slow"));
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
        let mut client = connect(&address);
        send(&mut client, text);
        std::thread::sleep(Duration::from_millis(200));
        probe.signal(Signal::Terminate);
        let finished = probe.finish();
        finished.exited(0).within(Duration::from_millis(3_000)).ended_with(&["0 abandoned"]);
    }
}

#[test]
fn a_stuck_request_is_named_by_its_route() {
    let (mut probe, address) = start("canstop");
    let mut clients: Vec<_> = (0..2).map(|_| connect(&address)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        get(client, &format!("/orders/{number}?secret=1"));
        probe.wait_for_line("stuck");
    }
    let mut status = connect(&address);
    get(&mut status, "/status");
    let text = answer(&mut status).expect("an answer");
    assert!(text.contains("2 x GET /orders/{id}"), "{text}");
    let finished = terminate(probe);
    finished.exited(124).ended_with(&["2 abandoned"]);
    finished.said(&["waiting for 2 sessions", "; the slowest request is GET /orders/{id} for"]);
    let line = finished.said(&["abandoned: 2 x GET /orders/{id} of service `http`, oldest", "waiting"]);
    assert!(!line.contains("secret"), "{line}");
}

#[test]
fn without_routes_a_request_is_named_by_its_path() {
    let (mut probe, address) = start("paths");
    let mut client = connect(&address);
    get(&mut client, "/orders/7?secret=1");
    probe.wait_for_line("stuck");
    let finished = terminate(probe);
    let line = finished.exited(124).said(&["abandoned: GET /orders/7 of service `http`, age", "waiting"]);
    assert!(!line.contains("secret"), "{line}");
}

#[test]
fn at_most_twenty_requests_are_named() {
    let (mut probe, address) = start("paths");
    let mut clients: Vec<_> = (0..25).map(|_| connect(&address)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        get(client, &format!("/orders/{number}"));
        probe.wait_for_line("stuck");
    }
    let mut status = connect(&address);
    get(&mut status, "/status");
    let text = answer(&mut status).expect("an answer");
    assert!(text.contains("1 x GET /orders/0,") && text.contains("x others"), "{text}");
    terminate(probe).exited(124).ended_with(&["25 abandoned"]);
}

#[test]
fn a_handler_that_blocks_its_thread_is_named() {
    let (mut probe, address) = start("canstop");
    let mut client = connect(&address);
    get(&mut client, "/blocked");
    probe.wait_for_line("blocked");
    let finished = terminate(probe);
    finished.exited(124).within(Duration::from_millis(4_250));
    finished.said(&["GET /blocked of service `http`", "blocking a thread for"]);
}

#[test]
fn an_answer_without_end_is_named() {
    let (mut probe, address) = start("canstop");
    let mut client = connect(&address);
    get(&mut client, "/stream");
    probe.wait_for_line("streams");
    let finished = terminate(probe);
    finished.exited(124).within(Duration::from_millis(4_250));
    finished.said(&["abandoned: GET /stream of service `http`", "waiting"]);
}

#[test]
fn slow_headers_and_bodies_time_out_before_a_stop_too() {
    let (mut probe, address) = start("impatient");
    let mut head = connect(&address);
    send(&mut head, "GET /qui");
    assert!(ends_well(&mut head));
    let mut body = connect(&address);
    send(&mut body, "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf");
    let text = answer(&mut body).expect("an answer");
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    let mut whole = connect(&address);
    get(&mut whole, "/slow/600");
    assert!(answer(&mut whole).expect("an answer").ends_with("slow"));
    probe.signal(Signal::Terminate);
    probe.finish().exited(0);
}

#[test]
fn an_early_answer_arrives_while_the_body_is_still_sent() {
    let (probe, address) = start("canstop");
    let mut client = connect(&address);
    send(&mut client, "POST /early HTTP/1.1\r\nhost: test\r\ncontent-length: 1000000\r\n\r\n");
    // More than the kernel buffers for a client that does not read.
    let sent = client.write_all(&vec![b'x'; 200_000]);
    assert!(sent.is_ok(), "{sent:?}");
    let text = answer(&mut client).expect("an answer");
    assert!(text.ends_with("no body was read"), "{text}");
    drop(client);
    terminate(probe).exited(0);
}

#[test]
fn a_client_that_disconnects_does_not_end_a_shielded_handler() {
    for (scenario, runs_on) in [("canstop", false), ("shield", true)] {
        let (mut probe, address) = start(scenario);
        let mut client = connect(&address);
        get(&mut client, "/cut");
        probe.wait_for_line("began");
        client.shutdown(Shutdown::Both).expect("it is connected");
        drop(client);
        std::thread::sleep(Duration::from_millis(100));
        let finished = terminate(probe);
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
        terminate(probe)
    });
    let finished = finished.await.expect("no panic");
    drop(stuck);
    finished.exited(124).said(&["abandoned: 2 x GET /orders/{id} of service `http`", "waiting"]);
}
