//! Hand-overs to a new process, from the clients' and from a process manager's side.

use std::fs;
use std::io::{BufRead as _, BufReader, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use canstop_tests::load::{Connections, Load, Tally};
use canstop_tests::{Audience, Probe, Signal, http};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

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
        Self::start_by(&[], name, address, variables)
    }

    /// The same by a command that becomes the program.
    fn start_by(command: &[&str], name: &str, address: &str, variables: &[(&str, &str)]) -> Self {
        let plan = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("handover-{name}-{}", std::process::id()));
        fs::write(&plan, "").expect("a file");
        let words = [command, &[PROGRAM, address, plan.to_str().expect("a plain path")]].concat();
        let (program, arguments) = words.split_first().expect("it has words");
        let probe = Probe::start_in(Audience::Listens, program, arguments, variables);
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

    /// The same after a process was killed: until that is gone, requests are refused. Each that fails is repeated.
    fn hand_over_once_free(&mut self) {
        self.request();
        let pid = loop {
            let line = self.probe.wait_for_start("");
            if let Some(pid) = line.strip_suffix(": took_over") {
                break pid.parse().expect("a pid");
            }
            if line.contains("hand-over refused: busy") || line.contains("hand-over failed") {
                self.request();
            }
        };
        self.wait_for_line_of(pid, "predecessor_ended");
        self.pid = pid;
    }

    /// Stops the process that serves, and gives what all of them have said.
    fn terminate(self) -> canstop_tests::Finished {
        Signal::Terminate.send_to(self.pid);
        let _ = fs::remove_file(&self.plan);
        self.probe.finish()
    }
}

/// Asks which process serves.
fn ask(address: SocketAddr) -> u32 {
    let request = b"GET / HTTP/1.1\r\nhost: probe\r\nconnection: close\r\n\r\n";
    http::send(address, request).expect("it serves").body.parse().expect("a pid")
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
        assert_eq!(ask(program.address()), program.pid);
    }
    clients.wait_for(20);
    let answered = clients.lost_nothing();
    println!("{answered} requests over {} hand-overs", rounds());
    let finished = program.terminate();
    finished.exited(0);
    assert_eq!(finished.times_logged("stopped (handed over to process "), rounds() as usize, "{finished}");
    finished.logged(&["stopping (handed over to process "]);
    finished.logged(&[&format!("took over from process {first}")]);
}

#[test]
fn what_the_parent_did_to_signals_keeps_no_hand_over_from_working() {
    let parent = ["env", "--block-signal=USR2", "--ignore-signal=CHLD,USR2"];
    let mut program = Program::start_by(&parent, "parent", "127.0.0.1:0", &[]);
    program.hand_over();
    assert_eq!(ask(program.address()), program.pid);
    program.terminate().exited(0);
}

#[test]
fn a_successor_that_fails_costs_no_request() {
    let health = http::free_address();
    let variables = [("CANSTOP_HEALTH", &*health.to_string()), ("CANSTOP_UPGRADE_TIMEOUT", "3s")];
    let mut program = Program::start("failing", "127.0.0.1:0", &variables);
    let clients = Clients::start(program.address(), health);
    for round in 0..rounds() {
        let (plan, error) = [
            ("fail", "ended before it was ready; what it has logged says why; this process goes on serving"),
            ("exit", "ended before it was ready; what it has logged says why; this process goes on serving"),
            ("hang", "was not ready within the upgrade_timeout of 3s; this process goes on serving"),
        ][round as usize % 3];
        program.plan(plan);
        program.request();
        let line = program.wait_for_line_of(program.pid, "hand-over failed: ");
        assert!(line.ends_with(error), "{plan}: {line}");
        clients.wait_for(20);
    }
    let old = program.pid;
    program.plan("");
    program.hand_over_once_free();
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
    let refused = "hand-over refused: busy, ";
    program.request();
    program.wait_for_line_of(program.pid, refused);
    // The new process has a predecessor.
    Signal::HandOver.send_to(next);
    program.plan("");
    program.wait_for_line_of(next, "took_over");
    program.wait_for_line_of(next, "predecessor_ended");
    let old = std::mem::replace(&mut program.pid, next);
    let finished = program.terminate();
    finished.exited(0);
    assert_eq!(finished.printed_after(&format!("{old}: {refused}")).count(), 1, "{finished}");
}

#[test]
fn a_program_hands_over_by_itself_and_learns_the_outcome() {
    let mut program = Program::start("call", "127.0.0.1:0", &[]);
    program.plan("fail");
    program.probe.say("hand over");
    let error = program.wait_for_line_of(program.pid, "the call fails, refused: false: hand-over failed: ");
    assert!(error.contains("ended before it was ready"), "{error}");
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
    finished.exited(0).logged(&["hand-over failed: a stop was requested"]);
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

/// A process manager's socket.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("manager-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a free path");
        socket.set_read_timeout(Some(Duration::from_secs(15))).expect("a time that is not zero");
        Self { socket, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("a plain path")
    }

    /// The next message that is no heartbeat, and the descriptors with it.
    fn next(&self) -> (String, Vec<OwnedFd>) {
        loop {
            let mut bytes = [0; 4_096];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut buffer = [IoSliceMut::new(&mut bytes)];
            let received = recvmsg(&self.socket, &mut buffer, &mut ancillary, RecvFlags::empty()).expect("a message");
            let fds = ancillary.drain().filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(fds) => Some(fds.collect::<Vec<_>>()),
                _ => None,
            });
            let fds = fds.flatten().collect();
            let text = String::from_utf8(bytes[..received.bytes].to_vec()).expect("the protocol is text");
            if text != "WATCHDOG=1" {
                return (text, fds);
            }
        }
    }

    /// Waits for a message that begins with this.
    fn wait_for(&self, start: &str) -> (String, Vec<OwnedFd>) {
        loop {
            let message = self.next();
            if message.0.starts_with(start) {
                return message;
            }
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[test]
fn a_manager_learns_of_the_new_process_and_of_no_stop() {
    let manager = Manager::new("learns");
    let variables = [("NOTIFY_SOCKET", manager.path()), ("WATCHDOG_USEC", "60000000")];
    let mut program = Program::start("manager", "127.0.0.1:0", &variables);
    manager.wait_for("READY=1");
    program.hand_over();
    let handed_over = format!("MAINPID={0}\nREADY=1\nSTATUS=handed over to process {0}", program.pid);
    assert_eq!(manager.next().0, handed_over, "the old process's last word");
    // The new process's first: what it had to say while it started was held back.
    let (first, _) = manager.wait_for("");
    assert!(first.starts_with("FDSTORE=1") || first.starts_with("READY=1\nSTATUS=ready: 1 service"), "{first}");
    program.terminate().exited(0);
    let (stopping, _) = manager.wait_for("STOPPING=1");
    assert!(stopping.contains("STATUS=stopping (SIGTERM)"), "{stopping}");
}

/// A process that was passed a socket.
struct Passed {
    process: Child,
    /// It is open as long as the process prints.
    _output: BufReader<ChildStdout>,
    address: String,
}

/// Starts a process with a socket as the manager passes it, and waits until it listens.
fn start_with(socket: OwnedFd, name: &str, address: &str, manager: &Manager) -> Passed {
    let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, PROGRAM, address]).env("LISTEN_FDNAMES", name).env("NOTIFY_SOCKET", manager.path());
    let mut process = command.stdin(socket).stdout(Stdio::piped()).spawn().expect("there is a shell");
    let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert!(output.read_line(&mut line).expect("text") > 0, "it has ended");
        if let Some(address) = line.trim_end().strip_prefix("listening on ") {
            break address.to_owned();
        }
    };
    Passed { process, _output: output, address }
}

impl Passed {
    fn terminate(mut self) {
        Signal::Terminate.send_to(self.process.id());
        let status = self.process.wait().expect("it is a child");
        assert!(status.success(), "{status}");
    }
}

#[test]
fn a_bound_socket_is_stored_and_taken_back() {
    let manager = Manager::new("stores");
    let program = Program::start("stored", "127.0.0.1:0", &[("NOTIFY_SOCKET", manager.path())]);
    let (message, mut fds) = manager.wait_for("FDSTORE=1");
    assert_eq!(message, "FDSTORE=1\nFDNAME=web");
    let (address, socket) = (program.address(), fds.pop().expect("a socket"));
    assert!(fds.is_empty());
    program.terminate().exited(0);
    // No process runs, and clients are not refused.
    let client = thread::spawn(move || ask(address));
    let next = start_with(socket, "web", "127.0.0.1:0", &manager);
    assert_eq!(next.address, address.to_string());
    assert_eq!(client.join().expect("the client is answered"), next.process.id());
    next.terminate();
}

#[test]
fn a_stored_socket_for_another_address_is_removed() {
    let manager = Manager::new("moves");
    let stored = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (old, new) = (stored.local_addr().expect("it is bound"), http::free_address());
    let process = start_with(stored.into(), "web", &new.to_string(), &manager);
    assert_eq!(process.address, new.to_string());
    assert_eq!(manager.wait_for("FDSTOREREMOVE=1").0, "FDSTOREREMOVE=1\nFDNAME=web");
    assert_eq!(manager.wait_for("FDSTORE=1").0, "FDSTORE=1\nFDNAME=web");
    assert!(std::net::TcpStream::connect(old).is_err(), "the old socket is still open");
    process.terminate();
}

#[test]
fn a_stored_socket_without_a_listener_is_removed() {
    let manager = Manager::new("unclaimed");
    let stored = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let old = stored.local_addr().expect("it is bound");
    let process = start_with(stored.into(), "admin", "127.0.0.1:0", &manager);
    assert_ne!(process.address, old.to_string());
    assert_eq!(manager.wait_for("FDSTOREREMOVE=1").0, "FDSTOREREMOVE=1\nFDNAME=admin");
    assert!(std::net::TcpStream::connect(old).is_err(), "its clients would wait for ever");
    process.terminate();
}

/// What the hand-over is for.
#[test]
fn a_restart_refuses_connections() {
    let program = Program::start("restart", &http::free_address().to_string(), &[]);
    let address = program.address();
    let load = Load::start(address, "/", 3, Connections::OneEach);
    load.wait_for(20);
    program.terminate().exited(0);
    load.wait_for_failure();
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
