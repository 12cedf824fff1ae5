//! The control plane's thread: started before anything else, and the one that ends the process if
//! the main thread cannot.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::event_loop::{EventLoop, Over};
use super::exit::{arm_exit_watchdog, end_process};
use super::signals::Signals;
use crate::machine::{Allowance, Exit, StopSources};
use crate::report::Reporter;
use crate::session::{Inbox, Supervisor};
use crate::settings::Resolved;

/// How long the data plane may take to drop what it holds, once all is decided.
pub(crate) const DATA_PLANE_LIMIT: Duration = Duration::from_millis(80);
/// How long the control plane waits for that.
const SEE_OFF_LIMIT: Duration = Duration::from_millis(100);
/// How long the report may take to be told.
const TELL_LIMIT: Duration = Duration::from_millis(60);
/// How long it may take to tell it in another way if that failed.
const RETELL_LIMIT: Duration = Duration::from_millis(30);

/// What a supervisor is configured with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) allowance: Allowance,
    pub(crate) sources: StopSources,
    /// What the pauses before restarts are drawn from.
    pub(crate) seed: u64,
}

impl Settings {
    /// Settings whose restarts are spread over time otherwise than those of any other process. They need
    /// not be unguessable.
    pub(crate) fn new(resolved: Resolved) -> Self {
        let Resolved { grace, drain_delay, .. } = resolved;
        let nanoseconds = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;
        let allowance = Allowance { grace: grace.value, drain_delay: drain_delay.value };
        let sources = StopSources { grace: grace.source, drain_delay: drain_delay.source };
        Self { allowance, sources, seed: u64::from(std::process::id()) ^ nanoseconds }
    }
}

/// The control plane's ends of what it shares with the main thread.
#[derive(Debug)]
pub(crate) struct MainChannels {
    /// Cancelled: the body of `main` is to be dropped.
    pub(crate) drop_main: CancellationToken,
    /// Dropped: everything is decided, and the data plane may go.
    finished: Option<oneshot::Sender<()>>,
    exit: mpsc::Sender<Exit>,
}

impl MainChannels {
    /// MainChannels for a supervisor whose main thread is a test.
    #[cfg(feature = "testing")]
    pub(crate) fn of_test() -> Self {
        Self { drop_main: CancellationToken::new(), finished: None, exit: mpsc::channel().0 }
    }
}

/// The main thread's ends.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    pub(crate) supervisor: &'static Supervisor,
    pub(crate) drop_main: CancellationToken,
    pub(crate) finished: oneshot::Receiver<()>,
    pub(crate) exit: mpsc::Receiver<Exit>,
}

/// Starts the control plane. When it returns, signals are handled.
///
/// # Errors
///
/// If the system refuses a thread, a signal handler or what a runtime needs.
pub(crate) fn launch(settings: Settings) -> io::Result<ControlPlane> {
    let (supervisor, inbox) = Supervisor::new();
    let drop_main = CancellationToken::new();
    let (finish, finished) = oneshot::channel();
    let (exit_sender, exit) = mpsc::channel();
    let ends = MainChannels { drop_main: drop_main.clone(), finished: Some(finish), exit: exit_sender };
    let (listening, listens) = mpsc::channel();
    thread::Builder::new()
        .name("canstop".to_owned())
        .spawn(move || control(supervisor, settings, inbox, ends, &listening))?;
    match listens.recv() {
        Ok(Ok(())) => Ok(ControlPlane { supervisor, drop_main, finished, exit }),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::Error::other("the control thread ended before it began")),
    }
}

fn control(
    supervisor: &'static Supervisor,
    settings: Settings,
    mut inbox: Inbox,
    ends: MainChannels,
    listening: &mpsc::Sender<io::Result<()>>,
) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(listening.send(Err(error))),
    };
    runtime.block_on(async {
        let begun = Reporter::start().and_then(|reporter| Ok((reporter, Signals::listen()?)));
        let (reporter, mut signals) = match begun {
            Ok(begun) => begun,
            Err(error) => return drop(listening.send(Err(error))),
        };
        supervisor.attach_report_thread(reporter.thread());
        let _ = listening.send(Ok(()));
        let mut event_loop = EventLoop::new(supervisor, &settings, reporter, ends);
        match event_loop.run(async || signals.next().await, &mut inbox).await {
            Over::Finished => finish(&mut event_loop, &mut inbox).await,
            Over::Forced => force(&event_loop),
        }
    });
}

/// Everything is decided. The data plane drops what it holds, the last line is said, the main thread
/// returns the code; and if any of them cannot, the process ends all the same.
async fn finish(event_loop: &mut EventLoop, inbox: &mut Inbox) {
    let exit = event_loop.state.exit();
    drop(event_loop.ends.finished.take());
    event_loop.await_runtime_shutdown(inbox, SEE_OFF_LIMIT).await;
    let stop_by = event_loop.report_end(false, TELL_LIMIT);
    // From here on the main thread's way is its own: it may have more to do after `App::run`.
    if stop_by && event_loop.data_plane_is_gone() && event_loop.ends.exit.send(exit).is_ok() {
        return;
    }
    force_exit(event_loop, stop_by)
}

/// Somebody asked twice.
fn force(event_loop: &EventLoop) -> ! {
    let stop_by = event_loop.report_end(true, TELL_LIMIT);
    force_exit(event_loop, stop_by)
}

/// MainChannels the process from this thread. If telling hangs, in a subscriber or behind a lock, the report
/// is written past it, with a fuse lit.
fn force_exit(event_loop: &EventLoop, stop_by: bool) -> ! {
    let exit = event_loop.state.exit();
    if !stop_by {
        arm_exit_watchdog(RETELL_LIMIT, exit);
        event_loop.write_report();
    }
    end_process(exit)
}
