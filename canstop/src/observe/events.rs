//! The stream of events.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::machine::Event;
use crate::session::{EventReader, Supervisor, expect_scope};

/// Everything that happens from now on: each transition once, and the same that the log gets.
///
/// A stream that is not read costs nothing but its buffer: what comes while that is full is counted,
/// and reported as [`Event::Missed`].
///
/// Reading it never holds up a stop. In a service, a session or `main`, the stream ends when everything
/// else that was asked to stop has ended, after [`Event::StopRequested`]. The last event of all,
/// [`Event::Stopped`], comes when the runtime is gone: it reaches a stream that is read on a thread of its
/// own, and [`observe`](crate::observe()).
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

/// What [`events`] gives. It is a [`Stream`] too.
#[derive(Debug)]
#[must_use = "events are read with `next`"]
pub struct Events(EventReader);

impl Events {
    pub(crate) fn of(supervisor: &'static Supervisor) -> Self {
        Self(supervisor.subscribe())
    }

    /// The next event; `None` after the last.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.0.poll_next(cx)).await
    }

    /// The next event, if one has come.
    #[cfg(feature = "testing")]
    pub(crate) fn try_next(&mut self) -> Option<Event> {
        self.0.try_next()
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_next(cx)
    }
}
