//! The numbers of real programs: as Prometheus reads them, and as the recorder of the `metrics` facade gets them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use canstop_tests::http::{get, wait_for_code};
use canstop_tests::{Finished, Probe};

use super::operated;

struct Program {
    probe: Probe,
    health: SocketAddr,
    public: SocketAddr,
}

impl Program {
    fn start(scenario: &str, variables: &[(&str, &str)]) -> Self {
        let mut all = vec![("CANSTOP_METRICS", "on")];
        all.extend(variables);
        let (probe, health, public) = operated::start(scenario, &all);
        Self { probe, health, public }
    }

    fn numbers(&self) -> String {
        get(self.health, "/metrics").expect("it runs").body
    }

    /// Waits until a line of the numbers is this one.
    #[track_caller]
    fn wait_for(&self, line: &str) {
        let ends = Instant::now() + Duration::from_secs(15);
        loop {
            let numbers = self.numbers();
            if numbers.lines().any(|known| known == line) {
                return;
            }
            assert!(Instant::now() < ends, "never {line:?}:\n{numbers}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn request(&self, line: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.public).expect("it listens");
        stream.write_all(format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).expect("it reads");
        stream
    }

    fn terminate(self) -> Finished {
        self.probe.terminate()
    }
}

fn answered(mut stream: TcpStream) -> bool {
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).is_ok() && &answer == b"HTTP/1.1 200"
}

#[test]
fn requests_are_counted_by_route() {
    let mut program = Program::start("routes", &[]);
    assert!(!program.numbers().contains("canstop_requests{"));
    let requests = ["GET /orders/7", "GET /orders/8?secret=1", "POST /orders/9"].map(|line| program.request(line));
    program.wait_for("canstop_requests{service=\"http\",route=\"GET /orders/{id}\"} 2");
    program.wait_for("canstop_requests{service=\"http\",route=\"POST /orders/{id}\"} 1");
    let numbers = program.numbers();
    assert!(!numbers.contains("secret") && !numbers.contains("orders/7"), "{numbers}");
    program.probe.say("answer");
    assert!(requests.into_iter().all(answered));
    program.terminate().exited(0);
}

#[test]
fn requests_without_a_route_add_one_series() {
    let mut program = Program::start("paths", &[]);
    let requests: Vec<_> = (0..40).map(|order| program.request(&format!("GET /orders/{order}"))).collect();
    program.wait_for("canstop_requests{service=\"http\",route=\"\"} 40");
    assert_eq!(program.numbers().lines().filter(|line| line.starts_with("canstop_requests{")).count(), 1);
    program.probe.say("answer");
    assert!(requests.into_iter().all(answered));
    program.terminate().exited(0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_listener_that_does_not_accept_fails_liveness() {
    let mut program = Program::start("stops-accepting", &[("CANSTOP_STALL", "1s")]);
    program.wait_for("canstop_accept_queue{listener=\"public\"} 0");
    let _first = TcpStream::connect(program.public).expect("it listens");
    program.probe.wait_for_line("accepted");
    // With an empty queue, a listener may wait for something else as long as it likes.
    let waited = Instant::now();
    while waited.elapsed() < Duration::from_millis(1_500) {
        assert_eq!(get(program.health, "/livez").unwrap().code, 200);
    }
    let queued = Instant::now();
    let _waiting = [(); 3].map(|()| TcpStream::connect(program.public).expect("it listens"));
    program.wait_for("canstop_accept_queue{listener=\"public\"} 3");
    assert_eq!(get(program.health, "/livez").unwrap().code, 200);
    let answer = wait_for_code(program.health, "/livez", 503);
    assert!(queued.elapsed() >= Duration::from_secs(1), "{:?}", queued.elapsed());
    assert_eq!(answer.body, r#"{"status":"unready","reason":"stalled"}"#);
    assert_eq!(get(program.health, "/readyz").unwrap().code, 503);
    let finished = program.terminate();
    finished.exited(0).logged(&["listener `public`", "3 connections wait, and none was accepted for "]);
    assert_eq!(finished.times_logged("connections wait"), 1, "{finished}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_listener_at_its_limit_is_not_stalled() {
    let mut program = Program::start("at-limit", &[("CANSTOP_STALL", "500ms")]);
    let _first = TcpStream::connect(program.public).expect("it listens");
    program.probe.wait_for_line("accepted");
    let _waiting = [(); 3].map(|()| TcpStream::connect(program.public).expect("it listens"));
    program.wait_for("canstop_accept_queue{listener=\"public\"} 3");
    let waited = Instant::now();
    while waited.elapsed() < Duration::from_millis(1_500) {
        assert_eq!(get(program.health, "/livez").unwrap().code, 200);
        assert_eq!(get(program.health, "/readyz").unwrap().code, 200);
    }
    let finished = program.terminate();
    assert_eq!(finished.times_logged("connections wait"), 0, "{finished}");
}

#[test]
fn the_recorder_gets_the_numbers_up_to_the_last() {
    let mut program = Program::start("routes", &[]);
    let request = program.request("GET /orders/7");
    program.wait_for("canstop_requests{service=\"http\",route=\"GET /orders/{id}\"} 1");
    program.probe.say("answer");
    assert!(answered(request));
    let finished = program.terminate();
    finished.exited(0);
    for line in [
        "recorded canstop_phase{phase=finished} 1",
        "recorded canstop_phase{phase=running} 0",
        "recorded canstop_service_state{service=http,state=over} 1",
        "recorded canstop_service_restarts_total{service=http} 0",
        "recorded canstop_sessions_abandoned_total{} 0",
    ] {
        finished.printed(line);
    }
    let of = |series: &str| finished.printed_after(&format!("recorded {series}{{}} ")).next().map(str::to_owned);
    let started = of("canstop_sessions_started_total").expect("it is recorded");
    assert_ne!(started, "0");
    assert_eq!(of("canstop_sessions_finished_total"), Some(started), "{finished}");
}
