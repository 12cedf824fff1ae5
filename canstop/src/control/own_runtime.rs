//! The thread and the runtime of a service that has its own: its runs and sessions go on there while every
//! worker of the data plane is blocked.
//!
//! Each run gets a new one. Its thread drives the run, then drops the service's state if that was its last
//! run, and then whatever sessions the run has left.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::service_run::{DroppedState, Run};
use crate::failure::catch;
use crate::session::Scope;

/// First and last interval between looks at the sessions that a run has left; it doubles in between.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LAST_LOOK: Duration = Duration::from_secs(1);

/// The control plane's end of one run's thread. Dropped once nothing is left to ask of it, it lets the
/// thread end after the run and its sessions.
#[derive(Debug)]
pub(super) struct OwnRuntime {
    abort: CancellationToken,
    states: mpsc::UnboundedSender<DroppedState>,
}

impl OwnRuntime {
    /// Starts the thread, which builds the runtime and drives the run on it. A thread or a runtime that
    /// cannot be had is the run's failure.
    pub(super) fn start(scope: &'static Scope, run: Run) -> Self {
        let abort = CancellationToken::new();
        let (states, dropped) = mpsc::unbounded_channel();
        let (hand_over, handed_over) = std::sync::mpsc::channel::<Run>();
        let aborted = abort.clone();
        let spawned = thread::Builder::new().name(scope.name()).spawn(move || {
            if let Ok(run) = handed_over.recv() {
                drive(scope, run, &aborted, dropped);
            }
        });
        match spawned {
            Ok(_) => drop(hand_over.send(run)),
            Err(error) => run.fail(format!("cannot start its own thread: {error}")),
        }
        Self { abort, states }
    }

    /// Drops the run's future at its next `.await`.
    pub(super) fn abort(&self) {
        self.abort.cancel();
    }

    /// Drops the service's state on the thread, after the run.
    ///
    /// # Errors
    ///
    /// The state, if the thread has ended: it could not build its runtime.
    pub(super) fn drop_state(&self, state: DroppedState) -> Result<(), DroppedState> {
        self.states.send(state).map_err(|mpsc::error::SendError(state)| state)
    }
}

/// The thread.
fn drive(scope: &'static Scope, run: Run, abort: &CancellationToken, states: mpsc::UnboundedReceiver<DroppedState>) {
    let runtime = match build(scope) {
        Ok(runtime) => runtime,
        Err(error) => return run.fail(format!("cannot build its own runtime: {error}")),
    };
    let handle = Arc::new(runtime.handle().clone());
    let attached = scope.attach_runtime(&handle);
    {
        let _entered = scope.enter_runtime(handle);
        runtime.block_on(live(scope, run, abort, states));
    }
    drop(attached);
    // What is left are tasks that are no sessions.
    runtime.shutdown_background();
}

/// Every thread of the runtime belongs to the service.
fn build(scope: &'static Scope) -> io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().thread_name(scope.name()).on_thread_start(|| scope.adopt_thread_of_own_runtime());
    // tokio panics where the system refuses some of what it needs.
    catch(|| builder.build()).map_err(io::Error::other)?
}

async fn live(
    scope: &'static Scope,
    run: Run,
    abort: &CancellationToken,
    mut states: mpsc::UnboundedReceiver<DroppedState>,
) {
    let mut task = tokio::spawn(run.execute());
    tokio::select! {
        biased;
        // The run reports its own end, also when it is dropped or panics.
        _ = &mut task => {}
        () = abort.cancelled() => {
            task.abort();
            let _ = task.await;
        }
    }
    while let Some(mut state) = states.recv().await {
        state.drop_now();
    }
    sessions_ended(scope).await;
}

/// Completes when no session can be left on this runtime: the service has no session on any runtime, or this
/// runtime has no task. Sessions of a later run cannot be distinguished from those of this one, and a task that is
/// not a session may never end. If there are both, the runtime is kept.
async fn sessions_ended(scope: &'static Scope) {
    let tasks = Handle::current().metrics();
    let mut next_look = FIRST_LOOK;
    while scope.has_sessions() && tasks.num_alive_tasks() > 0 {
        sleep(next_look).await;
        next_look = (next_look * 2).min(LAST_LOOK);
    }
}
