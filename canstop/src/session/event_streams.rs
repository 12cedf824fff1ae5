//! The streams of events that the program reads.
//!
//! An event is put into every stream at once, and readers are woken off the control thread: their wakers
//! may be the user's. A stream ends early where it would hold up a stop, see [`Supervisor::end_watchers`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use super::scope::Scope;
use super::supervisor::Supervisor;
use super::thread::polls_tracked_code;
use crate::machine::Event;

/// How many events a slow reader may be behind. Beyond it the oldest are lost to it.
const EVENTS: usize = 256;

/// All streams of one supervisor.
#[derive(Debug, Default)]
pub(super) struct EventStreams {
    streams: Mutex<Vec<Arc<EventStream>>>,
    /// How many of them a session or a body waits for.
    parked: AtomicUsize,
}

/// What a reader and the control plane share.
#[derive(Debug, Default)]
struct EventStream {
    state: Mutex<State>,
    /// It was read to its end, or dropped.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    missed: u64,
    /// Nothing comes any more.
    is_ended: bool,
    /// Who waits for the next event.
    reader: Option<Waker>,
    /// Whose session or body that is.
    parked_in: Option<&'static Scope>,
}

impl EventStream {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader's end of a stream.
#[derive(Debug)]
pub(crate) struct EventReader {
    supervisor: &'static Supervisor,
    stream: Arc<EventStream>,
}

impl EventReader {
    /// The next event; `None` after the last.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.stream.lock();
        let parked_before = state.parked_in.take().is_some();
        let (poll, old_waker) = match state.pop() {
            Some(event) => (Poll::Ready(Some(event)), state.reader.take()),
            None if state.is_ended => (Poll::Ready(None), state.reader.take()),
            None => {
                state.parked_in = if polls_tracked_code() { super::scope::current_scope() } else { None };
                (Poll::Pending, state.reader.replace(cx.waker().clone()))
            }
        };
        let parked_now = state.parked_in.is_some();
        let is_emptied = state.events.is_empty();
        drop(state);
        // The destructor of a waker is user code.
        drop(old_waker);
        self.supervisor.event_streams().count_parked(parked_before, parked_now);
        if is_emptied {
            self.stream.emptied.notify_waiters();
        }
        poll
    }

    /// The next event, if there is one by now.
    #[cfg(feature = "testing")]
    pub(crate) fn try_next(&mut self) -> Option<Event> {
        self.stream.lock().pop()
    }
}

impl Drop for EventReader {
    fn drop(&mut self) {
        let streams = self.supervisor.event_streams();
        streams.lock().retain(|stream| !Arc::ptr_eq(stream, &self.stream));
        let (reader, was_parked) = {
            let mut state = self.stream.lock();
            state.is_ended = true;
            state.events.clear();
            (state.reader.take(), state.parked_in.take().is_some())
        };
        drop(reader);
        streams.count_parked(was_parked, false);
        self.stream.emptied.notify_waiters();
    }
}

impl State {
    fn push(&mut self, event: &Event) {
        if self.is_ended {
            return;
        }
        if self.events.len() == EVENTS {
            self.events.pop_front();
            self.missed += 1;
        }
        self.events.push_back(event.clone());
        self.is_ended = matches!(event, Event::Stopped { .. });
    }

    fn pop(&mut self) -> Option<Event> {
        match std::mem::take(&mut self.missed) {
            0 => self.events.pop_front(),
            count => Some(Event::Missed { count }),
        }
    }
}

impl EventStreams {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<EventStream>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_parked(&self, before: bool, now: bool) {
        // Relaxed: the control plane looks again every few milliseconds.
        match (before, now) {
            (false, true) => drop(self.parked.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(self.parked.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

impl Supervisor {
    pub(crate) fn subscribe(&'static self) -> EventReader {
        let stream = Arc::new(EventStream::default());
        self.event_streams().lock().push(Arc::clone(&stream));
        EventReader { supervisor: self, stream }
    }

    /// Puts an event into every stream.
    pub(crate) fn publish(&'static self, event: &Event) {
        let streams = self.event_streams().lock();
        let mut waiting = Vec::new();
        for stream in &*streams {
            let mut state = stream.lock();
            state.push(event);
            if state.reader.is_some() {
                waiting.push(Arc::clone(stream));
            }
        }
        drop(streams);
        self.wake(waiting);
    }

    fn wake(&'static self, streams: Vec<Arc<EventStream>>) {
        if streams.is_empty() {
            return;
        }
        self.run_off_control(move || {
            for stream in streams {
                let reader = stream.lock().reader.take();
                if let Some(reader) = reader {
                    reader.wake();
                }
            }
        });
    }

    /// Does any session or body wait for an event? A cheap question.
    pub(crate) fn has_watchers(&self) -> bool {
        self.event_streams().parked.load(Ordering::Relaxed) > 0
    }

    /// Ends the streams that sessions and bodies of signalled scopes wait for, if as many of those are left
    /// as there are such streams: then all that is left to drain are watchers, which would wait for each
    /// other's end. `left` counts the sessions and bodies of signalled scopes.
    pub(crate) fn end_watchers(&'static self, left: u64) {
        let is_parked = |state: &State| {
            let home = state.parked_in.map(Scope::home);
            state.events.is_empty() && home.is_some_and(|home| home.is_stopping(home.run_id()))
        };
        let streams = self.event_streams().lock();
        let parked: Vec<_> = streams.iter().filter(|stream| is_parked(&stream.lock())).cloned().collect();
        drop(streams);
        if (parked.len() as u64) < left {
            return;
        }
        parked.iter().for_each(|stream| stream.lock().is_ended = true);
        self.wake(parked);
    }

    /// Waits until a body that waits for events has read those that have come, so that a service that is
    /// dropped when it is told to stop sees first that it is. `None` if nothing is unread.
    pub(crate) fn unread(&'static self, scope: &'static Scope) -> Option<impl Future<Output = ()> + Send + use<>> {
        let is_unread = |state: &State| {
            !state.events.is_empty() && state.parked_in.is_some_and(|parked_in| std::ptr::eq(parked_in, scope))
        };
        let streams = self.event_streams().lock();
        let unread: Vec<_> = streams.iter().filter(|stream| is_unread(&stream.lock())).cloned().collect();
        drop(streams);
        (!unread.is_empty()).then_some(async move {
            for stream in unread {
                loop {
                    let mut emptied = std::pin::pin!(stream.emptied.notified());
                    emptied.as_mut().enable();
                    if stream.lock().events.is_empty() {
                        break;
                    }
                    emptied.await;
                }
            }
        })
    }
}
