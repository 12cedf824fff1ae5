//! The control plane's thread. It is started before the data plane, and ends the process if the main
//! thread cannot.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc as async_mpsc;

use super::event_loop::{EventLoop, Over};
use super::exit::{end_at_once, write_to_stderr};
use super::exit_guard::ExitGuard;
use super::main_channels::{ControlPlane, MainChannels};
use super::outside::Outside;
use super::settings::Settings;
use super::signals::Delivery;
use crate::failure::catch;
use crate::machine::Exit;
use crate::report::Reporter;
use crate::session::{Inbox, Supervisor};
use crate::settings::LogLevel;

/// How long the data plane may take to drop what it holds, once everything is decided.
pub(crate) const DATA_PLANE_LIMIT: Duration = Duration::from_millis(80);
/// How long the control plane waits for that where the grace is used up.
const DATA_PLANE_GONE_LIMIT: Duration = Duration::from_millis(100);
/// How long the report may take to be written where the grace is used up.
const REPORT_LIMIT: Duration = Duration::from_millis(60);
/// How long `atexit` handlers may take when this thread ends the process.
const EXIT_HANDLERS_LIMIT: Duration = Duration::from_millis(40);

/// Starts the control plane. When it returns, signals are handled.
///
/// # Errors
///
/// If the system refuses a thread, a signal handler or what a runtime needs.
pub(crate) fn launch(settings: Settings, outside: Outside) -> io::Result<ControlPlane> {
    let (delivered, deliveries) = async_mpsc::unbounded_channel();
    let guard = ExitGuard::begin(settings.allowance, delivered)?;
    start(settings, outside, guard, deliveries).inspect_err(|_| guard.end_program())
}

fn start(
    settings: Settings,
    outside: Outside,
    guard: &'static ExitGuard,
    deliveries: async_mpsc::UnboundedReceiver<Delivery>,
) -> io::Result<ControlPlane> {
    let (supervisor, inbox) = Supervisor::new();
    let (channels, control_plane) = MainChannels::new(supervisor);
    let (started, starts) = mpsc::channel();
    thread::Builder::new().name("canstop".to_owned()).spawn(move || match prepare(settings.log) {
        Ok((runtime, reporter, signals)) => {
            supervisor.attach_report_thread(reporter.thread());
            let mut event_loop = EventLoop::new(supervisor, &settings, reporter, channels).guarded_by(guard);
            let shown = {
                let _entered = runtime.enter();
                event_loop.show(outside)
            };
            let failed = shown.is_err();
            let _ = started.send(shown);
            if failed {
                return;
            }
            control(&runtime, event_loop, inbox, Deliveries { by_guard: deliveries, signals }, guard);
        }
        Err(error) => drop(started.send(Err(error))),
    })?;
    match starts.recv() {
        Ok(started) => started.map(|()| control_plane),
        Err(_) => Err(io::Error::other("the control thread ended before it began")),
    }
}

/// What the thread needs of the system.
fn prepare(log: LogLevel) -> io::Result<(Runtime, Reporter, PlatformSignals)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _entered = runtime.enter();
        PlatformSignals::listen()?
    };
    Ok((runtime, Reporter::start(log)?, signals))
}

#[cfg(unix)]
#[derive(Debug)]
struct PlatformSignals;

#[cfg(unix)]
impl PlatformSignals {
    /// The guard listens.
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Delivery {
        std::future::pending().await
    }
}

#[cfg(windows)]
use super::signals::Signals as PlatformSignals;

/// The stop signals: by the exit guard where the system has signals, by tokio elsewhere.
struct Deliveries {
    by_guard: async_mpsc::UnboundedReceiver<Delivery>,
    signals: PlatformSignals,
}

impl Deliveries {
    /// The next one. Cancel safe.
    async fn next(&mut self) -> Delivery {
        tokio::select! {
            biased;
            Some(delivery) = self.by_guard.recv() => delivery,
            delivery = self.signals.next() => delivery,
        }
    }
}

/// Runs the control plane to its end. A panic on this thread is a fault of this crate. The process must not
/// survive it, because nothing would handle its signals.
fn control(
    runtime: &Runtime,
    mut event_loop: EventLoop,
    mut inbox: Inbox,
    mut deliveries: Deliveries,
    guard: &'static ExitGuard,
) {
    let ran = catch(|| {
        runtime.block_on(async {
            match event_loop.run(async || deliveries.next().await, &mut inbox).await {
                Over::Finished => finish(&mut event_loop, &mut inbox, guard).await,
                Over::Forced => force(&event_loop, guard),
                Over::NeverLaunched => guard.end_program(),
            }
        });
    });
    if let Err(panic) = ran {
        end_after_panic(&event_loop, &panic, guard);
    }
    // What abandoned services and late messages own is the user's.
    let EventLoop { supervisor, services, .. } = event_loop;
    supervisor.run_off_control(move || drop((services, inbox)));
}

/// Everything is decided. The data plane drops what it holds, the last line is emitted, the main thread
/// returns the code; if any of them hangs, this thread ends the process.
async fn finish(event_loop: &mut EventLoop, inbox: &mut Inbox, guard: &'static ExitGuard) {
    let exit = event_loop.state.exit();
    guard.keep_report(event_loop.report());
    drop(event_loop.main.finished.take());
    event_loop.await_runtime_shutdown(inbox, event_loop.patience(DATA_PLANE_GONE_LIMIT)).await;
    let is_written = event_loop.report_end(false, event_loop.patience(REPORT_LIMIT));
    guard.end_program();
    // The main thread may have more to do after `App::run`: the guard holds it to the deadline.
    if is_written && event_loop.data_plane_is_gone() && event_loop.main.exit.send(exit).is_ok() {
        return event_loop.answer_to_the_end().await;
    }
    end_process(event_loop, is_written, guard)
}

/// A second signal.
fn force(event_loop: &EventLoop, guard: &'static ExitGuard) -> ! {
    let is_written = event_loop.report_end(true, REPORT_LIMIT);
    end_process(event_loop, is_written, guard)
}

/// Ends the process from this thread as `std::process::exit` does, with `atexit` handlers. If the report
/// thread hangs, in a subscriber or behind a lock, the report is written past it.
fn end_process(event_loop: &EventLoop, is_written: bool, guard: &'static ExitGuard) -> ! {
    let exit = event_loop.state.exit();
    guard.end_within(EXIT_HANDLERS_LIMIT, exit);
    if !is_written {
        event_loop.write_report();
    }
    std::process::exit(exit.code().into())
}

/// Reports what is known without anything that may be broken by now, and ends the process.
fn end_after_panic(event_loop: &EventLoop, panic: &str, guard: &'static ExitGuard) -> ! {
    let exit = event_loop.state.exit().max(Exit::Failed);
    // What follows may panic or hang as well.
    guard.end_within(REPORT_LIMIT, exit);
    write_to_stderr(format!("canstop: the control thread panicked, which is a fault of canstop: {panic}\n").as_bytes());
    let left = catch(|| event_loop.write_what_is_left());
    let exit = if left.unwrap_or(true) { exit.max(Exit::Abandoned) } else { exit };
    write_to_stderr(
        format!("canstop: the program cannot be stopped in order and ends now, exit code {}\n", exit.code()).as_bytes(),
    );
    end_at_once(exit)
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::Command;

    use tokio::sync::oneshot;

    use super::*;
    use crate::machine::{Allowance, RunId, ServiceId, StopSources};
    use crate::session::Message;

    /// A message that no program can send: it is about a service that does not exist.
    #[test]
    #[ignore = "it ends its process, so the next test runs it in one of its own"]
    fn the_control_thread_panics() {
        let allowance = Allowance { grace: Duration::from_secs(60), drain_delay: Duration::ZERO };
        let settings = Settings { allowance, sources: StopSources::default(), log: LogLevel::default(), seed: 0 };
        let control = launch(settings, Outside::default()).unwrap();
        let (asked_in, _) = oneshot::channel();
        control.supervisor.send(Message::Restart { id: ServiceId(7), before: RunId::default(), asked_in });
        let _ = control.exit.recv();
        thread::sleep(Duration::MAX);
    }

    #[test]
    fn a_panic_on_the_control_thread_ends_the_process_with_a_report() {
        let ended = Command::new(env::current_exe().unwrap())
            .args(["--exact", "control::thread::tests::the_control_thread_panics", "--ignored", "--nocapture"])
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        // The body of `main` never ended.
        assert_eq!(ended.status.code(), Some(Exit::Abandoned.code().into()), "{stderr}");
        for line in [
            "canstop: the control thread panicked, which is a fault of canstop: index out of bounds",
            "canstop: abandoned: the body of main",
            "canstop: the program cannot be stopped in order and ends now, exit code 124",
        ] {
            assert!(stderr.contains(line), "{stderr}");
        }
    }
}
