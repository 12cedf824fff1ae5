//! The stream of events.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::machine::Event;
use crate::session::{EventReader, Supervisor, expect_scope};

/// A stream of all events from now on: each transition once, the same events as in the log.
///
/// A stream that is not read costs only its buffer: events beyond it are counted, and reported as
/// [`Event::Missed`].
///
/// Reading it never delays a stop. In a service, a session or `main`, the stream ends after
/// [`Event::StopRequested`], when everything else that was asked to stop has ended. The last event,
/// [`Event::Stopped`], is emitted after the runtime has shut down: it reaches a stream that is read on a separate
/// thread, and [`observe`](crate::observe()).
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
    Events::of(expect_scope("`canstop::events`").supervisor())
}

/// The stream of events, made by [`events`]. It implements [`Stream`].
///
/// ```
/// use canstop::testing::Harness;
/// use canstop::{Event, Service};
///
/// Harness::new().run(async |mut sup| {
///     let mut events = canstop::events();
///     sup.start(Service::new("database", |lifecycle| async move { lifecycle.stopping().await }));
///     while let Some(event) = events.next().await {
///         if let Event::ServiceReady { service, .. } = event {
///             assert_eq!(service, "database");
///             break;
///         }
///     }
///     assert!(sup.stop().await.is_clean());
/// });
/// ```
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

    /// The next event, if one has been emitted.
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
