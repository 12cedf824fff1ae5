//! The tracker under runit, s6, supervisord, systemd and podman: a stop, a restart, a second SIGTERM and SIGHUP.
#![cfg(unix)]

mod podman;
mod runit;
mod s6;
mod supervisord;
mod systemd;

use std::process::{Command, Stdio};
use std::time::Duration;

use canstop_examples::Client;
use canstop_managers::{Service, eventually};

use crate::podman::Podman;
use crate::runit::Runit;
use crate::s6::S6;
use crate::supervisord::Supervisord;
use crate::systemd::WithUnit;

const TRACKER: &str = env!("CARGO_BIN_EXE_managed_tracker");
/// The same program on tokio alone.
const CONTROL: &str = env!("CARGO_BIN_EXE_managed_tracker_tokio");
const STUCK: &str = env!("CARGO_BIN_EXE_stuck");
/// How long a manager waits for a program that it stops, before it sends SIGKILL. It is more than the tracker's grace.
const LIMIT: Duration = Duration::from_secs(10);

/// A manager that runs one service. Dropped, it ends the service and itself.
trait Manager: Sized {
    /// Starts the manager, which starts the service. Where it is not installed, says so and returns `None`.
    fn start(service: &Service, limit: Duration) -> Option<Self>;
    /// Its command that stops the service.
    fn stop(&self) -> Command;
    /// Its command that stops and starts the service.
    fn restart(&self) -> Command;
    /// Has the manager send a signal to the service.
    fn signal(&self, signal: Signal);
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
    ($($module:ident, $manager:ident: $($scenario:ident)*;)*) => { $(
        mod $module {
            $(
                #[test]
                fn $scenario() {
                    crate::$scenario::<crate::$manager>();
                }
            )*
        }
    )* };
}

under! {
    under_runit, Runit:
        a_restart_keeps_what_was_acknowledged a_hangup_keeps_what_was_acknowledged
        a_second_signal_ends_the_drain a_stop_ends_before_the_manager_kills;
    under_s6, S6:
        a_restart_keeps_what_was_acknowledged a_hangup_keeps_what_was_acknowledged
        a_second_signal_ends_the_drain a_stop_ends_before_the_manager_kills;
    under_supervisord, Supervisord:
        a_restart_keeps_what_was_acknowledged a_hangup_keeps_what_was_acknowledged
        a_second_signal_ends_the_drain a_stop_ends_before_the_manager_kills;
    under_systemd, WithUnit:
        a_restart_keeps_what_was_acknowledged a_hangup_keeps_what_was_acknowledged
        a_second_signal_ends_the_drain a_stop_ends_before_the_manager_kills;
    // SIGHUP does not end a process 1 that has no handler for it: there is no control.
    under_podman, Podman:
        a_restart_keeps_what_was_acknowledged a_second_signal_ends_the_drain
        a_stop_ends_before_the_manager_kills;
}

fn a_restart_keeps_what_was_acknowledged<M: Manager>() {
    let restart = |manager: &M| Some(manager.restart());
    let Some(lost) = lost_of_five(TRACKER, restart) else { return };
    assert_eq!(lost, (0, End::Code(0)));
    let control = lost_of_five(CONTROL, restart);
    assert_eq!(control, Some((5, End::Code(0))), "the control must fail");
}

fn a_hangup_keeps_what_was_acknowledged<M: Manager>() {
    let hang_up = |manager: &M| {
        manager.signal(Signal::Hangup);
        None
    };
    let Some(lost) = lost_of_five(TRACKER, hang_up) else { return };
    assert_eq!(lost, (0, End::Code(0)));
    let control = lost_of_five(CONTROL, hang_up);
    assert_eq!(control, Some((5, End::HUNG_UP)), "the control must fail");
}

/// How many of five acknowledged events are lost when the manager ends the program while its database is locked, and
/// how the manager saw it end. It starts the program again. A command of the manager that does this runs meanwhile.
fn lost_of_five<M: Manager>(program: &str, end: impl Fn(&M) -> Option<Command>) -> Option<(usize, End)> {
    let service = Service::new(program, &[], &[]);
    let manager = M::start(&service, LIMIT)?;
    service.wait_for("listening on", 1);
    let lock = service.events.lock();
    let mut client = Client::connect(&service.address.to_string()).expect("it listens");
    let event = r#"{"kind":"test"}"#;
    let created: Vec<_> = (0..5).map(|_| client.post("/events", event).expect("an answer").id().to_string()).collect();
    let command = end(&manager).map(|mut command| command.stdin(Stdio::null()).stdout(Stdio::null()).spawn());
    let is_stopping = eventually(|| service.log().contains("stopping (SIG") || !manager.ends().is_empty());
    assert!(is_stopping, "{}", service.log());
    lock.release();
    if let Some(command) = command {
        assert!(command.expect("its command").wait().expect("it has started").success());
    }
    service.wait_for("listening on", 2);
    let ends = manager.ends();
    assert_eq!(ends.len(), 1, "{ends:?}\n{}", service.log());
    Some((service.events.missing(&created).len(), ends[0]))
}

fn a_second_signal_ends_the_drain<M: Manager>() {
    let Some(end) = end_by_two_signals::<M>(TRACKER) else { return };
    assert_eq!(end, End::Code(128 + 15));
    let control = end_by_two_signals::<M>(CONTROL);
    assert_eq!(control, Some(End::Code(0)), "the control must go on with its drain");
}

/// How the manager sees the end of a program that gets two signals while a request waits for a locked database.
fn end_by_two_signals<M: Manager>(program: &str) -> Option<End> {
    let service = Service::new(program, &[], &[]);
    let manager = M::start(&service, LIMIT)?;
    service.wait_for("listening on", 1);
    let lock = service.events.lock();
    let [mut waiting, mut other] = [(); 2].map(|()| Client::connect(&service.address.to_string()).expect("it listens"));
    let body = r#"{"kind":"test"}"#;
    let head = format!("POST /events?durable=true HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len());
    waiting.send((head + body).as_bytes()).expect("it reads");
    let is_accepted = eventually(|| other.get("/stats").expect("an answer").body.contains(r#""queued":1"#));
    assert!(is_accepted, "{}", service.log());
    manager.signal(Signal::Terminate);
    // Both programs close a connection that waits for nothing.
    other.closed().expect("it stops");
    manager.signal(Signal::Terminate);
    assert!(eventually(|| !manager.ends().is_empty()), "{}", service.log());
    lock.release();
    service.wait_for("listening on", 2);
    manager.ends().first().copied()
}

fn a_stop_ends_before_the_manager_kills<M: Manager>() {
    let Some(end) = end_of_a_stuck_program::<M>("canstop") else { return };
    assert_eq!(end, End::Code(124));
    let control = end_of_a_stuck_program::<M>("tokio");
    assert_eq!(control, Some(End::KILLED), "the control must hang");
}

/// How the manager sees the end of a program whose task blocks, when it stops it and waits for three seconds.
fn end_of_a_stuck_program<M: Manager>(program: &str) -> Option<End> {
    let service = Service::new(STUCK, &[program], &[]);
    let manager = M::start(&service, Duration::from_secs(3))?;
    service.wait_for("started", 1);
    // Some of these commands fail if they had to kill.
    let _ = manager.stop().stdout(Stdio::null()).stderr(Stdio::null()).status().expect("its command");
    let ends = manager.ends();
    assert_eq!(ends.len(), 1, "{ends:?}\n{}", service.log());
    Some(ends[0])
}
