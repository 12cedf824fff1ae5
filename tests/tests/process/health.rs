//! Health probes of real programs while they start, serve, fail, block and stop.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use canstop_tests::http::{Answer, free_address, get, send, wait_for_code};
use canstop_tests::{Audience, Finished, Probe, READY, Signal, Stopwatch};

use crate::PROMPTLY;

/// The limit for the response to a probe, whatever the program does.
const SOON: Duration = Duration::from_millis(100);

struct Program {
    probe: Probe,
    health: SocketAddr,
}

impl Program {
    fn start(scenario: &str, variables: &[(&str, &str)]) -> Self {
        let health = free_address();
        let address = health.to_string();
        let mut all = vec![("CANSTOP_HEALTH", address.as_str())];
        all.extend(variables);
        let mut probe = Probe::start_in(Audience::Listens, env!("CARGO_BIN_EXE_seen"), &[scenario], &all);
        probe.wait_for_line(READY);
        Self { probe, health }
    }

    #[track_caller]
    fn get(&self, path: &str) -> Answer {
        // A busy machine may delay one probe, but not every one.
        let mut took = Vec::new();
        while took.len() < 5 {
            let asked = Instant::now();
            let answer = get(self.health, path).unwrap_or_else(|error| panic!("{path}: {error}"));
            took.push(asked.elapsed());
            if took.last().is_some_and(|took| *took < SOON) {
                return answer;
            }
        }
        panic!("{path} took {took:?}");
    }

    #[track_caller]
    fn answers(&self, path: &str, code: u16, body: &str) {
        let answer = self.get(path);
        assert_eq!((answer.code, answer.body.as_str()), (code, body), "{path}");
    }

    fn terminate(self) -> Finished {
        self.probe.terminate()
    }
}

const OK: &str = r#"{"status":"ok"}"#;

fn unready(reason: &str) -> String {
    format!(r#"{{"status":"unready","reason":"{reason}"}}"#)
}

#[test]
fn a_program_is_live_before_it_is_ready() {
    let mut program = Program::start("starts", &[]);
    for path in ["/livez", "/live"] {
        program.answers(path, 200, OK);
    }
    for path in ["/readyz", "/ready", "/startupz", "/startup"] {
        program.answers(path, 503, &unready("starting"));
    }
    program.probe.say("ready");
    wait_for_code(program.health, "/readyz", 200);
    for path in ["/livez", "/readyz", "/startupz"] {
        program.answers(path, 200, OK);
    }
    program.terminate().exited(0).within(PROMPTLY);
}

#[test]
fn readiness_ends_at_once_and_the_drain_delay_is_served() {
    let mut program = Program::start("drains", &[]);
    wait_for_code(program.health, "/readyz", 200);
    let signalled = Stopwatch::start();
    program.probe.signal(Signal::Terminate);
    while program.get("/readyz").code == 200 {}
    let took = signalled.took();
    assert!(took.at_most(Duration::from_millis(50)), "{took:?}");
    while signalled.took().whole < Duration::from_millis(500) {
        program.answers("/readyz", 503, &unready("stopping"));
        program.answers("/livez", 200, OK);
        program.answers("/startupz", 200, OK);
    }
    let finished = program.probe.finish();
    finished.exited(0).printed("stopping");
    assert!(finished.after_signal() >= Duration::from_millis(600), "{finished}");
}

#[test]
fn probes_are_answered_while_every_worker_is_blocked() {
    let mut program = Program::start("blocks", &[("CANSTOP_STALL", "1s"), ("CANSTOP_BLOCKED", "300ms")]);
    wait_for_code(program.health, "/readyz", 200);
    program.probe.say("block");
    let blocked = Instant::now();
    program.answers("/livez", 200, OK);
    while program.get("/livez").code == 200 {
        assert!(blocked.elapsed() < Duration::from_secs(10), "it is never dead");
    }
    assert!(blocked.elapsed() > Duration::from_millis(900), "{:?}", blocked.elapsed());
    program.answers("/livez", 503, &unready("stalled"));
    program.answers("/readyz", 503, &unready("stalled"));
    program.answers("/startupz", 200, OK);
    // A platform that kills the program for a failed probe now would kill its report.
    program.probe.signal(Signal::Terminate);
    wait_for_code(program.health, "/livez", 200);
    program.answers("/readyz", 503, &unready("stopping"));
    let finished = program.probe.finish();
    finished.exited(124);
    let line = "session `stuck` of service `blocks`";
    finished.logged(&["the runtime has taken up no work for", line, "tests/src/bin/seen.rs:", "blocks 2 threads for "]);
    finished.logged(&[line, "has blocked a thread for"]);
    assert_eq!(finished.times_logged("has blocked a thread for"), 1, "one site, once in ten seconds\n{finished}");
}

#[test]
fn only_a_long_restart_ends_readiness() {
    let mut program = Program::start("fails", &[]);
    wait_for_code(program.health, "/readyz", 200);
    program.probe.say("fail");
    let failed = Instant::now();
    while failed.elapsed() < Duration::from_millis(1_000) {
        program.answers("/readyz", 200, OK);
    }
    let answer = wait_for_code(program.health, "/readyz", 503);
    assert_eq!(answer.body, unready("service"));
    assert!(failed.elapsed() >= Duration::from_secs(3), "{:?}", failed.elapsed());
    program.probe.say("heal");
    wait_for_code(program.health, "/readyz", 200);
    program.terminate().exited(0);
}

#[test]
fn a_hold_delays_readiness_and_hides_its_reason() {
    let mut program = Program::start("holds", &[]);
    while program.get("/readyz").body != unready("held") {}
    program.answers("/startupz", 503, &unready("starting"));
    program.probe.say("release");
    wait_for_code(program.health, "/readyz", 200);
    program.answers("/startupz", 200, OK);
    program.terminate().exited(0);
}

#[test]
fn probes_are_answered_until_the_process_has_ended() {
    let mut program = Program::start("teardown", &[]);
    wait_for_code(program.health, "/readyz", 200);
    program.probe.signal(Signal::Terminate);
    program.probe.wait_for_line("after");
    program.answers("/livez", 200, OK);
    program.answers("/readyz", 503, &unready("stopping"));
    program.answers("/startupz", 200, OK);
    program.probe.finish().exited(0);
}

#[test]
fn an_unusable_health_address_fails_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (value, why) in [
        (address.as_str(), format!("canstop: cannot start: cannot answer health on {address}: ")),
        ("here", "canstop: cannot start: CANSTOP_HEALTH is \"here\": it is not an IP address".to_owned()),
    ] {
        let variables = [("CANSTOP_HEALTH", value)];
        let finished = Probe::start_in(Audience::Listens, env!("CARGO_BIN_EXE_seen"), &["serves"], &variables).finish();
        finished.exited(1).never_printed(READY).logged(&[&why]);
    }
}

#[test]
fn odd_requests_are_refused_without_details() {
    let program = Program::start("serves", &[]);
    wait_for_code(program.health, "/readyz", 200);
    let long = format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(20_000));
    for (request, code) in [
        ("POST /livez HTTP/1.1\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\n\r\n", 404),
        ("GET /status HTTP/1.1\r\n\r\n", 404),
        ("GET /metrics HTTP/1.1\r\n\r\n", 404),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        ("\x16\x03\x01\n\n", 400),
        (long.as_str(), 431),
        ("HEAD /livez HTTP/1.1\r\n\r\n", 200),
    ] {
        let answer = send(program.health, request.as_bytes()).unwrap();
        assert_eq!(answer.code, code, "{request:?}");
        let all = format!("{}{}", answer.head, answer.body);
        assert!(!all.contains("serves") && !all.contains("canstop"), "{all}");
        assert!(answer.head.contains("connection: close"), "{all}");
        assert!(!request.starts_with("HEAD") || answer.body.is_empty(), "{all}");
    }
    program.terminate().exited(0);
}

#[test]
fn the_status_is_text_json_and_a_page_without_script() {
    let mut program = Program::start("fails", &[("CANSTOP_STATUS", "on")]);
    wait_for_code(program.health, "/readyz", 200);
    program.probe.say("fail");
    wait_for_code(program.health, "/readyz", 503);
    let text = program.get("/status").body;
    assert!(text.starts_with("fails: ") && text.contains("1 restart, last error: as asked"), "{text}");
    let json = program.get("/status.json").body;
    assert!(json.starts_with(r#"{"phase":"running","ready":false,"blocked_threads":0,"stop":null,"#), "{json}");
    assert!(json.contains(r#""name":"fails","site":"tests/src/bin/seen.rs:"#), "{json}");
    let request = b"GET /status HTTP/1.1\r\nAccept: text/html\r\n\r\n";
    let page = send(program.health, request).unwrap();
    assert!(page.head.contains("content-type: text/html"), "{}", page.head);
    for part in ["<h1 class=\"starting\">Not ready</h1>", "<b>fails</b>", "http-equiv=\"refresh\"", "as asked"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert!(!page.body.contains("<script"), "{}", page.body);
    program.probe.say("heal");
    wait_for_code(program.health, "/readyz", 200);
    program.terminate().exited(0);
}

#[test]
fn status_shows_the_stop_and_metrics_show_blocked_threads() {
    let variables =
        [("CANSTOP_STATUS", "on"), ("CANSTOP_METRICS", "on"), ("CANSTOP_BLOCKED", "200ms"), ("CANSTOP_STALL", "1s")];
    let mut program = Program::start("blocks", &variables);
    wait_for_code(program.health, "/readyz", 200);
    program.probe.say("block");
    wait_for_code(program.health, "/livez", 503);
    let numbers = program.get("/metrics").body;
    assert!(numbers.contains("canstop_blocked_threads 2\n"), "both sessions of the site: {numbers}");
    assert!(numbers.contains("canstop_service_state{service=\"blocks\",state=\"ready\"} 1\n"), "{numbers}");
    assert!(numbers.contains("canstop_sessions_started_total 3\n"), "{numbers}");
    let stall = numbers.lines().find_map(|line| line.strip_prefix("canstop_stall_seconds ")).expect("a stall");
    assert!(stall.parse::<f64>().unwrap() > 0.9, "{stall}");
    program.probe.signal(Signal::Terminate);
    let json = loop {
        let json = program.get("/status.json").body;
        if json.contains("\"waiting\":\"waiting for ") {
            break json;
        }
    };
    assert!(json.contains("\"phase\":\"stopping\"") && json.contains("\"left_ms\":"), "{json}");
    assert!(json.contains("\"steps\":[{\"name\":\"blocks\",\"progress\":\"current\","), "{json}");
    let text = program.get("/status").body;
    assert!(text.starts_with("stopping for "), "{text}");
    assert!(text.contains("\n  blocks: waiting for service `blocks`, 3 sessions, "), "{text}");
    assert!(program.get("/metrics").body.contains("canstop_phase{phase=\"stopping\"} 1\n"));
    program.probe.finish().exited(124);
}

#[test]
fn hostile_connections_delay_neither_probes_nor_the_stop() {
    let program = Program::start("serves", &[]);
    wait_for_code(program.health, "/readyz", 200);
    let size = || resident_kilobytes(program.probe.id());
    let size_before = size();
    let mut hostile = Vec::new();
    for number in 0..1_000_u32 {
        let Ok(mut stream) = TcpStream::connect(program.health) else { continue };
        let _ = match number % 4 {
            // A silent client, half a request, a huge one, and one that is not HTTP.
            0 => Ok(()),
            1 => stream.write_all(b"GET /livez HTT"),
            2 => stream.write_all(&[b'x'; 7_000]),
            _ => stream.write_all(&[0, 159, 146, 150, 10]),
        };
        hostile.push(stream);
        if number % 100 == 99 {
            program.answers("/livez", 200, OK);
        }
    }
    assert_eq!(hostile.len(), 1_000);
    let grown = size().saturating_sub(size_before);
    assert!(grown < 2_048, "it has grown by {grown} KiB");
    let finished = program.terminate();
    finished.exited(0).within(PROMPTLY);
    finished.ended_with(&["exit code 0"]);
    // The process has ended, which closed its connections.
    hostile.retain_mut(|stream| {
        stream.read(&mut [0; 1]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    });
    assert!(hostile.is_empty());
}

fn resident_kilobytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
