//! The notification protocol from the process manager's side, with a socket of the test.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use canstop_tests::{Audience, Probe, READY, Signal, Stopwatch};

/// A process manager that records the messages it receives.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    messages: Vec<(Instant, String)>,
}

impl Manager {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("canstop-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a socket in the temporary directory");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a time that is not zero");
        Self { socket, path, messages: Vec::new() }
    }

    fn start(&self, scenario: &str, more: &[(&str, &str)]) -> Probe {
        let path = self.path.to_string_lossy();
        let mut variables = vec![("NOTIFY_SOCKET", &*path)];
        variables.extend(more);
        let mut probe = Probe::start_in(Audience::Listens, env!("CARGO_BIN_EXE_seen"), &[scenario], &variables);
        probe.wait_for_line(READY);
        probe
    }

    /// Reads until a message contains this part, and returns it.
    #[track_caller]
    fn wait_for(&mut self, part: &str) -> String {
        let ends = Instant::now() + Duration::from_secs(15);
        let mut buffer = [0; 4_096];
        while Instant::now() < ends {
            let Ok(length) = self.socket.recv(&mut buffer) else { continue };
            let message = String::from_utf8(buffer[..length].to_vec()).expect("the protocol is text");
            self.messages.push((Instant::now(), message.clone()));
            if message.contains(part) {
                return message;
            }
        }
        panic!("no message has {part:?}: {:?}", self.messages);
    }

    /// Reads all pending messages.
    fn read_rest(&mut self) {
        self.socket.set_nonblocking(true).expect("a socket can be non-blocking");
        let mut buffer = [0; 4_096];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            self.messages.push((Instant::now(), String::from_utf8_lossy(&buffer[..length]).into_owned()));
        }
    }

    fn has(&self, part: &str) -> bool {
        self.messages.iter().any(|(_, message)| message.contains(part))
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The microseconds of a message's request for more time.
fn extension(message: &str) -> u64 {
    let line = message.lines().find_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC="));
    line.and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("no extension in {message:?}"))
}

#[test]
fn a_manager_is_notified_of_start_readiness_and_stop() {
    let mut manager = Manager::new("stages");
    let mut probe = manager.start("starts", &[]);
    let starting = manager.wait_for("EXTEND_TIMEOUT_USEC");
    assert!((20_000_000..=21_000_000).contains(&extension(&starting)), "{starting}");
    assert!(!manager.has("READY=1"));
    probe.say("ready");
    assert_eq!(manager.wait_for("READY=1"), "READY=1\nSTATUS=ready: 2 services");
    probe.signal(Signal::Terminate);
    let stopping = manager.wait_for("STOPPING=1");
    assert_eq!(extension(&stopping), 4_000_000);
    assert!(stopping.ends_with("STATUS=stopping (SIGTERM), within 3 s (code)"), "{stopping}");
    probe.finish().exited(0);
    manager.read_rest();
    let (_, last) = manager.messages.last().expect("there were some");
    assert!(last.starts_with("STATUS=stopped (SIGTERM) in "), "{last}");
    assert!(!manager.has("WATCHDOG=1"), "no watchdog was requested");
}

#[test]
fn every_waiting_line_requests_the_remaining_time() {
    let mut manager = Manager::new("waiting");
    let mut probe = manager.start("slow-stop", &[]);
    manager.wait_for("READY=1");
    probe.signal(Signal::Terminate);
    manager.wait_for("STOPPING=1");
    for seconds in [3_u64, 2] {
        let message = manager.wait_for("waiting for service `slow`");
        let asked = extension(&message);
        assert!(asked.abs_diff(seconds * 1_000_000) < 300_000, "{message}");
    }
    probe.finish().exited(0);
}

#[test]
fn the_watchdog_is_fed_until_the_data_plane_is_blocked() {
    let mut manager = Manager::new("watchdog");
    let mut probe = manager.start("blocks", &[("WATCHDOG_USEC", "900000")]);
    manager.wait_for("READY=1");
    let fed = Stopwatch::start();
    for _ in 0..4 {
        manager.wait_for("WATCHDOG=1");
    }
    let fed = fed.took();
    assert!(fed.at_most(Duration::from_millis(1_500)), "every third of it: {fed:?}");
    probe.say("block");
    let blocked = Stopwatch::start();
    let status = manager.wait_for("STATUS=the runtime has taken up no work");
    let blocked = blocked.took();
    assert!(blocked.at_most(Duration::from_millis(900)), "before the abort: {blocked:?}");
    assert!(status.contains("session `stuck` of service `blocks` (tests/src/bin/seen.rs:"), "{status}");
    let withheld = manager.messages.len();
    std::thread::sleep(Duration::from_millis(900));
    probe.signal(Signal::Terminate);
    probe.finish().exited(124).logged(&["the runtime has taken up no work", "session `stuck` of service `blocks`"]);
    manager.read_rest();
    let after = &manager.messages[withheld..];
    assert!(!after.iter().any(|(_, message)| message.contains("WATCHDOG=1")), "{after:?}");
}

#[test]
fn no_manager_is_notified_if_off_or_meant_for_another_process() {
    let mut manager = Manager::new("off");
    let mut probe = manager.start("serves", &[("CANSTOP_NOTIFY", "off"), ("WATCHDOG_USEC", "900000")]);
    probe.signal(Signal::Terminate);
    probe.finish().exited(0);
    manager.read_rest();
    assert_eq!(manager.messages, []);

    let mut manager = Manager::new("another");
    let mut probe = manager.start("serves", &[("WATCHDOG_PID", "1"), ("WATCHDOG_USEC", "90000")]);
    manager.wait_for("READY=1");
    probe.signal(Signal::Terminate);
    probe.finish().exited(0);
    manager.read_rest();
    assert!(!manager.has("WATCHDOG=1"));
}

#[test]
fn a_missing_manager_causes_one_warning() {
    let variables = [("NOTIFY_SOCKET", "/nowhere/notify")];
    let mut probe = Probe::start_in(Audience::Listens, env!("CARGO_BIN_EXE_seen"), &["serves"], &variables);
    probe.wait_for_line(READY);
    probe.signal(Signal::Terminate);
    let finished = probe.finish();
    finished.exited(0);
    assert_eq!(finished.times_logged("cannot notify the process manager: NOTIFY_SOCKET is \"/nowhere/notify\""), 1);
}

#[test]
fn the_ready_fd_gets_a_newline_when_all_are_ready() {
    use std::io::Read as _;
    use std::os::fd::AsRawFd as _;
    let (mut ours, theirs) = std::io::pipe().expect("a pipe");
    // A child inherits what is not close-on-exec.
    rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty()).expect("it is open");
    let number = theirs.as_raw_fd().to_string();
    let variables = [("CANSTOP_READY_FD", number.as_str())];
    let mut probe = Probe::start_in(Audience::Listens, env!("CARGO_BIN_EXE_seen"), &["starts"], &variables);
    drop(theirs);
    probe.wait_for_line(READY);
    probe.say("ready");
    let mut all = String::new();
    ours.read_to_string(&mut all).expect("it is closed at once");
    assert_eq!(all, "\n");
    probe.signal(Signal::Terminate);
    probe.finish().exited(0);
}

#[test]
fn a_closed_ready_fd_fails_the_start() {
    for (value, why) in
        [("77", "no file descriptor of that number is open"), ("x", "it is not a number"), ("1", "above 2")]
    {
        let variables = [("CANSTOP_READY_FD", value)];
        let finished = Probe::start_in(Audience::Listens, env!("CARGO_BIN_EXE_seen"), &["serves"], &variables).finish();
        finished.exited(1).logged(&[&format!("canstop: cannot start: CANSTOP_READY_FD is \"{value}\": "), why]);
    }
}
