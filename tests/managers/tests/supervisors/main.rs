//! The tracker under runit, s6 and supervisord: a stop, a restart, a second SIGTERM and SIGHUP.
#![cfg(unix)]

mod runit;
mod s6;
mod supervisord;

use std::process::{Command, Stdio};
use std::time::Duration;

use canstop_examples::Client;
use canstop_managers::{Service, eventually, is_installed};

use crate::runit::Runit;
use crate::s6::S6;
use crate::supervisord::Supervisord;

const TRACKER: &str = env!("CARGO_BIN_EXE_managed_tracker");
/// The same program on tokio alone.
const CONTROL: &str = env!("CARGO_BIN_EXE_managed_tracker_tokio");
const STUCK: &str = env!("CARGO_BIN_EXE_stuck");
/// How long a manager waits for a program that it stops, before it sends SIGKILL. It is more than the tracker's grace.
const LIMIT: Duration = Duration::from_secs(10);

/// A manager that runs one service. Dropped, it ends the service and itself.
trait Manager {
    const PACKAGE: &str;
    const PROGRAMS: &[&str];

    /// Starts the manager, which starts the service.
    fn start(service: &Service, limit: Duration) -> Self;
    /// Its command that stops the service.
    fn stop(&self) -> Command;
    /// Its command that stops and starts the service.
    fn restart(&self) -> Command;
    /// Its command that sends a signal to the service.
    fn signal(&self, signal: Signal) -> Command;
    /// How the service has ended so far, as the manager sees it.
    fn ends(&self) -> Vec<End>;
}

#[derive(Clone, Copy, Debug)]
enum Signal {
    Terminate,
    Hangup,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Code(i32),
    Signal(i32),
}

impl End {
    const KILLED: Self = Self::Signal(9);
    const HUNG_UP: Self = Self::Signal(1);

    /// Reads a file to which a `finish` script has written a code and a signal for each end. The code is in the range
    /// of codes only if no signal has ended the process.
    fn read(text: &str) -> Vec<Self> {
        let end = |line: &str| {
            let (code, signal) = line.split_once(' ').expect("a code and a signal");
            let [code, signal] = [code, signal].map(|number| number.parse().expect("a number"));
            if (0..256).contains(&code) { Self::Code(code) } else { Self::Signal(signal) }
        };
        text.lines().map(end).collect()
    }
}

macro_rules! under {
    ($($module:ident: $manager:ident;)*) => { $(
        mod $module {
            use crate::$manager;

            #[test]
            fn a_restart_keeps_what_was_acknowledged() {
                crate::a_restart_keeps_what_was_acknowledged::<$manager>();
            }

            #[test]
            fn a_hangup_keeps_what_was_acknowledged() {
                crate::a_hangup_keeps_what_was_acknowledged::<$manager>();
            }

            #[test]
            fn a_second_signal_ends_the_drain() {
                crate::a_second_signal_ends_the_drain::<$manager>();
            }

            #[test]
            fn a_stop_ends_before_the_manager_kills() {
                crate::a_stop_ends_before_the_manager_kills::<$manager>();
            }
        }
    )* };
}

under! {
    under_runit: Runit;
    under_s6: S6;
    under_supervisord: Supervisord;
}

fn a_restart_keeps_what_was_acknowledged<M: Manager>() {
    if is_installed(M::PACKAGE, M::PROGRAMS) {
        let restart = |manager: &M| manager.restart();
        assert_eq!(lost_of_five(TRACKER, restart), (0, End::Code(0)));
        assert_eq!(lost_of_five(CONTROL, restart), (5, End::Code(0)), "the control must fail");
    }
}

fn a_hangup_keeps_what_was_acknowledged<M: Manager>() {
    if is_installed(M::PACKAGE, M::PROGRAMS) {
        let hang_up = |manager: &M| manager.signal(Signal::Hangup);
        assert_eq!(lost_of_five(TRACKER, hang_up), (0, End::Code(0)));
        assert_eq!(lost_of_five(CONTROL, hang_up), (5, End::HUNG_UP), "the control must fail");
    }
}

/// How many of five acknowledged events are lost when a command of the manager ends the program while its database is
/// locked, and how the manager saw it end. The manager starts it again.
fn lost_of_five<M: Manager>(program: &str, command: impl Fn(&M) -> Command) -> (usize, End) {
    let service = Service::new(program, &[], &[]);
    let manager = M::start(&service, LIMIT);
    service.wait_for("listening on", 1);
    let lock = service.events.lock();
    let mut client = Client::connect(&service.address.to_string()).expect("it listens");
    let event = r#"{"kind":"test"}"#;
    let created: Vec<_> = (0..5).map(|_| client.post("/events", event).expect("an answer").id().to_string()).collect();
    let mut command = command(&manager).stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("its command");
    let is_stopping = eventually(|| service.log().contains("stopping (SIG") || !manager.ends().is_empty());
    assert!(is_stopping, "{}", service.log());
    lock.release();
    assert!(command.wait().expect("it has started").success());
    service.wait_for("listening on", 2);
    let ends = manager.ends();
    assert_eq!(ends.len(), 1, "{ends:?}\n{}", service.log());
    (service.events.missing(&created).len(), ends[0])
}

fn a_second_signal_ends_the_drain<M: Manager>() {
    if is_installed(M::PACKAGE, M::PROGRAMS) {
        assert_eq!(end_by_two_signals::<M>(TRACKER), End::Code(128 + 15));
        assert_eq!(end_by_two_signals::<M>(CONTROL), End::Code(0), "the control must go on with its drain");
    }
}

/// How the manager sees the end of a program that gets two signals while a request waits for a locked database.
fn end_by_two_signals<M: Manager>(program: &str) -> End {
    let service = Service::new(program, &[], &[]);
    let manager = M::start(&service, LIMIT);
    service.wait_for("listening on", 1);
    let lock = service.events.lock();
    let [mut waiting, mut other] = [(); 2].map(|()| Client::connect(&service.address.to_string()).expect("it listens"));
    let body = r#"{"kind":"test"}"#;
    let head = format!("POST /events?durable=true HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len());
    waiting.send((head + body).as_bytes()).expect("it reads");
    let is_accepted = eventually(|| other.get("/stats").expect("an answer").body.contains(r#""queued":1"#));
    assert!(is_accepted, "{}", service.log());
    let signal = || assert!(manager.signal(Signal::Terminate).status().expect("its command").success());
    signal();
    // Both programs close a connection that waits for nothing.
    other.closed().expect("it stops");
    signal();
    assert!(eventually(|| !manager.ends().is_empty()), "{}", service.log());
    lock.release();
    service.wait_for("listening on", 2);
    manager.ends()[0]
}

fn a_stop_ends_before_the_manager_kills<M: Manager>() {
    if is_installed(M::PACKAGE, M::PROGRAMS) {
        assert_eq!(end_of_a_stuck_program::<M>("canstop"), End::Code(124));
        assert_eq!(end_of_a_stuck_program::<M>("tokio"), End::KILLED, "the control must hang");
    }
}

/// How the manager sees the end of a program whose task blocks, when it stops it and waits for three seconds.
fn end_of_a_stuck_program<M: Manager>(program: &str) -> End {
    let service = Service::new(STUCK, &[program], &[]);
    let manager = M::start(&service, Duration::from_secs(3));
    service.wait_for("started", 1);
    // Some of these commands fail if they had to kill.
    let _ = manager.stop().stdout(Stdio::null()).stderr(Stdio::null()).status().expect("its command");
    let ends = manager.ends();
    assert_eq!(ends.len(), 1, "{ends:?}\n{}", service.log());
    ends[0]
}
