//! The stream of events.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::machine::Event;
use crate::session::{Supervisor, expect_scope};

/// Everything that happens from now on: each transition once, and the same that the log gets.
///
/// A stream that is not read costs nothing but its buffer: what comes while that is full is counted,
/// and told as [`Event::Missed`]. The last event is [`Event::Stopped`]. It comes when the runtime is
/// gone; only who reads the stream elsewhere, on a thread or in a test, sees it.
///
/// ```
/// # async fn example() {
/// use canstop::Event;
///
/// let mut events = canstop::events();
/// while let Some(event) = events.next().await {
///     if let Event::ServiceEnded { service, restart_in: Some(_), .. } = event {
///         println!("{service} is restarted");
///     }
/// }
/// # }
/// ```
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
#[track_caller]
pub fn events() -> Events {
    Events::of(expect_scope("`canstop::events`").supervisor)
}

/// What [`events`] gives.
#[derive(Debug)]
#[must_use = "events are read with `next`"]
pub struct Events {
    receiver: Receiver<Event>,
    is_over: bool,
}

impl Events {
    pub(crate) fn of(supervisor: &'static Supervisor) -> Self {
        Self { receiver: supervisor.subscribe(), is_over: false }
    }

    /// The next event; `None` after the last.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        if self.is_over {
            return None;
        }
        let event = match self.receiver.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => Event::Missed { count },
            Err(RecvError::Closed) => return None,
        };
        self.is_over = matches!(event, Event::Stopped { .. });
        Some(event)
    }

    /// The next event, if one has come.
    #[cfg(feature = "testing")]
    pub(crate) fn try_next(&mut self) -> Option<Event> {
        use tokio::sync::broadcast::error::TryRecvError;
        match self.receiver.try_recv() {
            Ok(event) => {
                self.is_over = matches!(event, Event::Stopped { .. });
                Some(event)
            }
            Err(TryRecvError::Lagged(count)) => Some(Event::Missed { count }),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}
