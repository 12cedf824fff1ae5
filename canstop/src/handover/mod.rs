//! Restarting without a refused connection: a new process of this program takes the listeners over.
//!
//! The old process starts the new one with one end of a socket pair, and sends its listeners over it (`wire`). The new
//! one starts its services, whose listeners accept nothing yet, and reports that it is ready. Then the old one lets it
//! serve, and stops. The machine decides each step; `successor` is the old process's side of it, and `predecessor` the
//! new one's.

mod program;
mod process;
mod wire;
mod predecessor;
mod successor;

use std::fmt;

use tokio::sync::oneshot;

use crate::session::{Message, expect_scope};

pub(crate) use predecessor::Predecessor;
pub(crate) use program::Program;
pub(crate) use successor::Successor;

/// Starts this program anew, hands its listeners to the new process, and then stops: a restart that refuses no
/// connection. It does what the signal SIGUSR2 does.
///
/// The new process is started by the path by which this one was started, with the same arguments and environment, so it
/// is the new version if the file was replaced. It gets every socket of [`listen`](crate::listen()) and that of the
/// health endpoint. Until it is ready as a whole, it accepts nothing, and this process goes on serving. Then it accepts,
/// and this process stops without a drain delay: requests that were begun are finished here.
///
/// If the new process ends before it is ready, or is not ready within the
/// [`upgrade_timeout`](crate::App::upgrade_timeout), it is killed, and this process goes on as if nothing had happened.
///
/// A request is refused during another hand-over, also by the new process until the old one has ended; before this
/// process is ready; during a stop; and in a process with PID 1, since its end is that of the container.
///
/// Under systemd, the new process becomes the main process of the unit, and `ExecReload=kill -USR2 $MAINPID` makes it
/// what `systemctl reload` does. A manager that cannot learn of a new main process takes the end of this one for the end
/// of the program: there, use a socket unit or the feature `fd_store`.
///
/// ```no_run
/// # async fn example() {
/// match canstop::hand_over().await {
///     Ok(()) => println!("the new process serves, and this one stops"),
///     Err(error) if error.is_refused() => println!("not now: {error}"),
///     Err(error) => println!("the new version does not start, and this process goes on: {error}"),
/// }
/// # }
/// ```
///
/// # Errors
///
/// If the request is refused, or the new process did not become ready.
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
///
/// # Cancel safety
///
/// The hand-over goes on when the future is dropped.
pub async fn hand_over() -> Result<(), HandOverError> {
    let (answer, answered) = oneshot::channel();
    expect_scope("`canstop::hand_over()`").hub.send(Message::HandOver(Some(answer)));
    match answered.await {
        Ok(Ok(_pid)) => Ok(()),
        Ok(Err((is_refused, reason))) => Err(HandOverError { is_refused, reason }),
        // The control plane has ended.
        Err(_) => Err(HandOverError { is_refused: true, reason: "the program has stopped".to_owned() }),
    }
}

/// A hand-over did not take place. [`hand_over`] has an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOverError {
    is_refused: bool,
    reason: String,
}

impl HandOverError {
    /// Returns true if no new process was started; false if one was, and did not become ready.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.is_refused
    }
}

impl fmt::Display for HandOverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = if self.is_refused { "refused" } else { "failed" };
        write!(f, "hand-over {outcome}: {}", self.reason)
    }
}

impl std::error::Error for HandOverError {}
