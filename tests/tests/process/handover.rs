//! Hand-overs to a new process, from the clients' and from a process manager's side.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use canstop_tests::load::{Connections, Load, Tally};
use canstop_tests::{Audience, Probe, Signal, http};

const PROGRAM: &str = env!("CARGO_BIN_EXE_handover");

/// A program that hands over, and the process of it that serves.
struct Program {
    probe: Probe,
    plan: PathBuf,
    pid: u32,
    address: String,
}

impl Program {
    /// Starts the first process, and waits until it is ready.
    fn start(name: &str, address: &str, variables: &[(&str, &str)]) -> Self {
        let plan = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("handover-{name}-{}", std::process::id()));
        fs::write(&plan, "").expect("a file");
        let arguments = [address, plan.to_str().expect("a plain path")];
        let probe = Probe::start_in(Audience::Listens, PROGRAM, &arguments, variables);
        let pid = probe.id();
        let mut program = Self { probe: probe.patiently(Duration::from_secs(300)), plan, pid, address: String::new() };
        program.address = program.probe.wait_for_start("listening on ");
        program.probe.wait_for_line(&format!("ready {pid}"));
        program
    }

    fn address(&self) -> SocketAddr {
        self.address.parse().expect("it listens on TCP")
    }

    /// Writes down what the next process is to do.
    fn plan(&self, plan: &str) {
        fs::write(&self.plan, plan).expect("a file");
    }

    fn request(&self) {
        Signal::HandOver.send_to(self.pid);
    }

    /// Waits until the next process serves, and the old one has ended.
    fn wait_for_next(&mut self) {
        let pid = self.wait_for_successor();
        self.wait_for_line_of(pid, "took_over");
        self.wait_for_line_of(pid, "predecessor_ended");
        self.pid = pid;
    }

    /// Waits until a new process has begun.
    fn wait_for_successor(&mut self) -> u32 {
        self.probe.wait_for_start("started ").parse().expect("a pid")
    }

    fn wait_for_line_of(&mut self, pid: u32, line: &str) -> String {
        self.probe.wait_for_start(&format!("{pid}: {line}"))
    }

    fn hand_over(&mut self) {
        self.request();
        self.wait_for_next();
    }

    /// Stops the process that serves, and gives what all of them have said.
    fn terminate(self) -> canstop_tests::Finished {
        Signal::Terminate.send_to(self.pid);
        let _ = fs::remove_file(&self.plan);
        self.probe.finish()
    }
}

/// Clients of every kind, and a prober of the health endpoint.
struct Clients(Vec<Load>);

impl Clients {
    fn start(address: SocketAddr, health: SocketAddr) -> Self {
        Self(vec![
            Load::start(address, "/", 3, Connections::OneEach),
            Load::start(address, "/", 3, Connections::KeepAlive),
            Load::start(health, "/readyz", 1, Connections::OneEach),
        ])
    }

    fn wait_for(&self, more: u64) {
        self.0.iter().for_each(|load| load.wait_for(more));
    }

    /// Asserts that no request of any client went wrong, and returns how many there were.
    #[track_caller]
    fn lost_nothing(self) -> u64 {
        let tallies: Vec<Tally> = self.0.into_iter().map(Load::finish).collect();
        tallies.iter().for_each(|tally| println!("{tally}"));
        assert!(tallies.iter().all(|tally| tally.failed() == 0), "{tallies:?}");
        tallies.iter().map(|tally| tally.answered).sum()
    }
}

/// How many hand-overs the tests under load make; `CANSTOP_HANDOVERS=100` for the full number.
fn rounds() -> u32 {
    std::env::var("CANSTOP_HANDOVERS").map_or(3, |rounds| rounds.parse().expect("CANSTOP_HANDOVERS is a number"))
}

#[test]
fn hand_overs_under_load_refuse_and_reset_nothing() {
    let health = http::free_address();
    let variables = [("CANSTOP_HEALTH", &*health.to_string())];
    let mut program = Program::start("load", "127.0.0.1:0", &variables);
    let first = program.pid;
    let clients = Clients::start(program.address(), health);
    for _ in 0..rounds() {
        clients.wait_for(20);
        program.hand_over();
        let body = http::get(program.address(), "/").expect("it serves").body;
        assert!(body.ends_with(&program.pid.to_string()), "{body}");
    }
    clients.wait_for(20);
    let answered = clients.lost_nothing();
    println!("{answered} requests over {} hand-overs", rounds());
    let finished = program.terminate();
    finished.exited(0);
    assert_eq!(finished.times_said("stopped (handed over to process "), rounds() as usize, "{finished}");
    finished.said(&["stopping (handed over to process "]);
    finished.said(&[&format!("took over from process {first}")]);
}

#[test]
fn a_successor_that_fails_costs_no_request() {
    let health = http::free_address();
    let variables = [("CANSTOP_HEALTH", &*health.to_string()), ("CANSTOP_UPGRADE_TIMEOUT", "400ms")];
    let mut program = Program::start("failing", "127.0.0.1:0", &variables);
    let clients = Clients::start(program.address(), health);
    for round in 0..rounds() {
        let (plan, error) = [
            ("fail", "ended before it was ready, exit status: 1; this process goes on serving"),
            ("exit", "exit status: 3; this process goes on serving"),
            ("hang", "was not ready within the upgrade_timeout of 400ms; this process goes on serving"),
        ][round as usize % 3];
        program.plan(plan);
        program.request();
        let line = program.wait_for_line_of(program.pid, "hand-over failed: ");
        assert!(line.ends_with(error), "{plan}: {line}");
        clients.wait_for(20);
    }
    let old = program.pid;
    program.plan("");
    // A process that was killed may not be gone yet; then the request is refused, and made again.
    program.hand_over();
    assert_ne!(program.pid, old);
    clients.wait_for(20);
    clients.lost_nothing();
    program.terminate().exited(0);
}

#[test]
fn a_second_request_is_refused_with_one_line() {
    let mut program = Program::start("second", "127.0.0.1:0", &[]);
    program.plan("wait");
    program.request();
    let next = program.wait_for_successor();
    let refused = format!("hand-over refused: busy, process {next} is starting");
    program.request();
    program.wait_for_line_of(program.pid, &refused);
    // The new process has a predecessor, and is not ready either.
    program.probe.wait_for_start("listening on ");
    Signal::HandOver.send_to(next);
    program.probe.say("go on");
    program.wait_for_line_of(next, "took_over");
    program.wait_for_line_of(next, "predecessor_ended");
    let old = std::mem::replace(&mut program.pid, next);
    let finished = program.terminate();
    finished.exited(0);
    assert_eq!(finished.times_said(&refused), 1, "{finished}");
    assert_eq!(finished.times_printed(&format!("{old}: {refused}")), 1, "{finished}");
}

#[test]
fn a_program_hands_over_by_itself_and_learns_the_outcome() {
    let mut program = Program::start("call", "127.0.0.1:0", &[]);
    program.plan("fail");
    program.probe.say("hand over");
    let line = program.wait_for_line_of(program.pid, "hand-over failed: ");
    assert!(line.contains("exit status: 1"), "{line}");
    let line = program.wait_for_line_of(program.pid, "hand-over failed: ");
    assert!(line.ends_with("refused: false"), "{line}");
    program.plan("");
    program.hand_over();
    program.terminate().exited(0);
}

#[test]
fn a_stop_ends_a_successor_that_is_starting() {
    let mut program = Program::start("stop", "127.0.0.1:0", &[]);
    program.plan("hang");
    program.request();
    program.wait_for_successor();
    // Its streams are ours: the end of the output is the end of both.
    let finished = program.terminate();
    finished.exited(0).said(&["hand-over failed: a stop was requested"]);
    finished.ended_with(&["stopped (SIGTERM)"]);
}

#[test]
fn the_file_of_a_unix_socket_goes_with_the_socket() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("handover-{}.sock", std::process::id()));
    let mut program = Program::start("unix", path.to_str().expect("a plain path"), &[]);
    program.plan("fail");
    program.request();
    program.wait_for_line_of(program.pid, "hand-over failed: ");
    assert!(UnixStream::connect(&path).is_ok(), "the new process has removed the file of the old one");
    program.plan("");
    program.hand_over();
    assert!(UnixStream::connect(&path).is_ok(), "the old process has removed the file of the new one");
    program.terminate().exited(0);
    assert!(!path.exists(), "the file is left");
}

#[test]
fn a_new_process_may_have_more_listeners() {
    let mut program = Program::start("more", "127.0.0.1:0", &[]);
    program.plan("move");
    program.hand_over();
    let finished = program.terminate();
    finished.exited(0);
    assert_eq!(finished.printed_after("moved to 127.0.0.1:").count(), 1, "{finished}");
}

/// Programs share a port with `SO_REUSEPORT`, or follow one another. This is what the hand-over is for.
#[test]
fn a_restart_refuses_connections() {
    let program = Program::start("restart", &http::free_address().to_string(), &[]);
    let address = program.address();
    let load = Load::start(address, "/", 3, Connections::OneEach);
    load.wait_for(20);
    program.terminate().exited(0);
    let next = Program::start("restart", &address.to_string(), &[]);
    load.wait_for(20);
    let tally = load.finish();
    assert!(tally.refused > 0, "the control must fail: {tally}");
    next.terminate().exited(0);
}

/// As with `SO_REUSEPORT`: each process has a queue of its own, and the queue of the old one ends with it.
#[test]
fn connections_in_the_queue_of_another_socket_are_reset() {
    use std::io::Read as _;

    let shared = |address: SocketAddr| {
        use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        sockopt::set_socket_reuseport(&socket, true).expect("an option");
        bind(&socket, &address).expect("a free port");
        listen(&socket, 512).expect("it is bound");
        TcpListener::from(socket)
    };
    let old = shared("127.0.0.1:0".parse().expect("an address"));
    let address = old.local_addr().expect("it is bound");
    let new = shared(address);
    let mut clients: Vec<_> = (0..200).map(|_| std::net::TcpStream::connect(address).expect("both listen")).collect();
    drop(old);
    new.set_nonblocking(true).expect("an option");
    while new.accept().is_ok() {}
    let reset = clients.iter_mut().filter_map(|client| client.read(&mut [0]).err()).count();
    println!("{reset} of 200 connections were reset");
    assert!(reset > 20, "the control must fail: {reset} of 200 were reset");
}
