//! SIGTERM in front of a crowd of clients of every kind, with `canstop::axum::serve` and with `axum::serve`.
//!
//! The crowd of idle clients is small by default. `CANSTOP_IDLE_CLIENTS=10000` makes it as large as it is meant to be;
//! the test and the program then need that many descriptors each.
#![cfg(unix)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use canstop_tests::client::{Client, Frame, WebSocket};
use canstop_tests::{Finished, Probe, Signal};
use rustix::process::{Resource, getrlimit, setrlimit};

const IDLE: usize = 300;
const BUSY: usize = 64;
const QUEUED: usize = 200;
const HALF: usize = 20;
const WEBSOCKETS: usize = 20;
/// Threads that connect for every request, and as many that keep their connection, until they are refused.
const RESTLESS: usize = 4;
/// Longer than a stalled client has.
const SLOWEST: Duration = Duration::from_millis(3_000);
/// The only worker is blocked for this long before the signal and after it.
const PAUSE: Duration = Duration::from_millis(600);

/// The clients at the moment of a stop.
struct Crowd {
    idle: Vec<Client>,
    busy: Vec<Client>,
    queued: Vec<Client>,
    half_head: Vec<Client>,
    half_body: Vec<Client>,
    websockets: Vec<WebSocket>,
    restless: Vec<JoinHandle<usize>>,
}

/// How many clients lost something.
#[derive(Debug, Default, PartialEq, Eq)]
struct Losses {
    /// Whole requests without an answer, on a connection that the kernel had completed.
    unanswered: usize,
    /// Idle connections that were reset.
    reset: usize,
    /// Websockets that ended without the program's goodbye.
    no_goodbye: usize,
}

/// A stop, as its clients see it.
struct Stop {
    losses: Losses,
    /// From the last answer to a slow request to the end of the process.
    after_slowest: Duration,
    finished: Finished,
}

fn idle_clients() -> usize {
    std::env::var("CANSTOP_IDLE_CLIENTS").map_or(IDLE, |idle| idle.parse().expect("a number"))
}

impl Crowd {
    fn gather(address: &str) -> Self {
        let with = |count, text: &str| -> Vec<_> {
            let clients = (0..count).map(|_| {
                let mut client = Client::connect(address);
                client.send(text);
                client
            });
            clients.collect()
        };
        let mut idle = with(0, "");
        for _ in 0..idle_clients() {
            let mut client = Client::connect(address);
            client.get("/quick");
            client.answer().expect("an answer");
            idle.push(client);
        }
        let mut websockets: Vec<_> = (0..WEBSOCKETS).map(|_| Client::connect(address).upgrade("/chat/200")).collect();
        for websocket in &mut websockets {
            websocket.say("hello").expect("it is open");
            assert_eq!(websocket.read().expect("it is repeated"), Frame::Text("hello".to_owned()));
        }
        let half_head = with(HALF, "GET /quick HTTP/1.1\r\nho");
        let half_body = with(HALF, "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf");
        let answered = Arc::new(AtomicUsize::new(0));
        let restless = (0..2 * RESTLESS).map(|number| restless(address, number < RESTLESS, Arc::clone(&answered)));
        let restless = restless.collect();
        let slow = format!("GET /slow/{} HTTP/1.1\r\nhost: test\r\n\r\n", SLOWEST.as_millis());
        let busy = with(BUSY, &slow);
        let before = answered.load(Ordering::Relaxed);
        while answered.load(Ordering::Relaxed) < before + 10 * RESTLESS {
            thread::yield_now();
        }
        // From here on the only worker is blocked, so clients that connect stay in the kernel's queue.
        let mut pausing = Client::connect(address);
        pausing.get(&format!("/pause/{}", PAUSE.as_millis()));
        thread::sleep(PAUSE / 4);
        let mut queued = with(QUEUED, "GET /quick HTTP/1.1\r\nhost: test\r\n\r\n");
        queued.push(pausing);
        Self { idle, busy, queued, half_head, half_body, websockets, restless }
    }

    /// Waits for the end of every client but the stalled ones, which could delay the stop. Returns when the last slow
    /// request was answered.
    fn judge(self) -> (Losses, Instant, Vec<Client>) {
        let Self { idle, busy, queued, half_head, half_body, websockets, restless } = self;
        let unanswered = |clients: Vec<Client>| {
            clients.into_iter().map(|mut client| client.answer()).filter(|answer| answer.is_err()).count()
        };
        let (queued, busy) = (unanswered(queued), unanswered(busy));
        let slowest = Instant::now();
        let restless: usize = restless.into_iter().map(|client| client.join().expect("no panic")).sum();
        let says_goodbye = |mut websocket: WebSocket| {
            let goodbye = Frame::Text("goodbye".to_owned());
            websocket.read().is_ok_and(|frame| frame == goodbye)
                && websocket.read().is_ok_and(|frame| frame == Frame::Close)
        };
        let losses = Losses {
            unanswered: queued + busy + restless,
            reset: idle.into_iter().map(|mut client| client.ends_well()).filter(|ended| !ended).count(),
            no_goodbye: websockets.into_iter().map(says_goodbye).filter(|said| !said).count(),
        };
        (losses, slowest, half_head.into_iter().chain(half_body).collect())
    }
}

/// A client that sends requests until it is refused, and returns how many had no answer.
fn restless(address: &str, keeps: bool, answered: Arc<AtomicUsize>) -> JoinHandle<usize> {
    let address = address.to_owned();
    thread::spawn(move || {
        let mut unanswered = 0;
        while let Ok(mut client) = Client::try_connect(&address) {
            loop {
                let sent = client.try_send(b"GET /quick HTTP/1.1\r\nhost: test\r\n\r\n");
                let Ok(answer) = sent.and_then(|()| client.answer()) else {
                    unanswered += 1;
                    break;
                };
                answered.fetch_add(1, Ordering::Relaxed);
                if !keeps || answer.contains("connection: close") {
                    break;
                }
            }
        }
        unanswered
    })
}

fn stop(scenario: &str) -> Stop {
    let mut probe = Probe::start(env!("CARGO_BIN_EXE_serving"), &[scenario]);
    let address = probe.wait_until_listening();
    let crowd = Crowd::gather(&address);
    probe.signal(Signal::Terminate);
    let judging = thread::spawn(|| crowd.judge());
    let finished = probe.finish();
    let ended = Instant::now();
    let (losses, slowest, stalled) = judging.join().expect("a verdict");
    drop(stalled);
    Stop { losses, after_slowest: ended.saturating_duration_since(slowest), finished }
}

#[test]
fn a_crowded_stop_loses_nobody_and_plain_axum_does() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to the hard limit");

    let Stop { losses, after_slowest, finished } = stop("canstop");
    println!("canstop: {losses:?}, {after_slowest:?} after the slowest request\n{}", finished.stderr.join("\n"));
    let Stop { losses: control, finished: control_finished, .. } = stop("axum");
    println!("axum: {control:?}\n{}", control_finished.stderr.join("\n"));

    assert_eq!(losses, Losses::default(), "{finished}");
    finished.exited(0).ended_with(&["0 abandoned, exit code 0"]);
    // The slowest whole request ends the stop, not the slowest client.
    assert!(after_slowest < Duration::from_secs(1), "{after_slowest:?}\n{finished}");
    assert!(finished.after_signal() > SLOWEST - PAUSE, "{finished}");

    assert!(control.unanswered > 0, "the control must fail: {control:?}\n{control_finished}");
    control_finished.exited(124);
}
