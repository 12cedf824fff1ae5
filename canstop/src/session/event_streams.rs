//! The streams of events that the program reads.
//!
//! An event is put into every stream at once, and readers are woken off the control thread, because their wakers
//! may be the user's. A stream ends early where it would delay a stop, see [`EventStreams::end_watchers`].

use std::collections::VecDeque;
use std::pin::pin;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use super::current::current_scope;
use super::hub::Hub;
use super::scope::Scope;
use super::thread::polls_tracked_code;
use crate::machine::Event;

/// How many events a stream buffers. Beyond it the oldest are dropped.
const EVENTS: usize = 256;

/// All streams of one supervisor.
#[derive(Debug, Default)]
pub(super) struct EventStreams {
    streams: Mutex<Vec<Arc<EventStream>>>,
    /// How many of them a session or a body waits on.
    parked: AtomicUsize,
}

/// What a reader and the control plane share.
#[derive(Debug, Default)]
struct EventStream {
    buffer: Mutex<Buffer>,
    /// Every event was read, or the reader was dropped.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Buffer {
    events: VecDeque<Event>,
    missed: u64,
    /// No event follows.
    is_ended: bool,
    /// The waker of a reader that waits for the next event.
    reader: Option<Waker>,
    /// The scope of the session or body that waits.
    parked_in: Option<&'static Scope>,
}

impl EventStream {
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader's end of a stream.
#[derive(Debug)]
pub(crate) struct EventReader {
    streams: &'static EventStreams,
    stream: Arc<EventStream>,
}

impl EventReader {
    /// The next event; `None` after the last.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut buffer = self.stream.lock();
        let parked_before = buffer.parked_in.take().is_some();
        let (poll, old_waker) = match buffer.pop() {
            Some(event) => (Poll::Ready(Some(event)), buffer.reader.take()),
            None if buffer.is_ended => (Poll::Ready(None), buffer.reader.take()),
            None => {
                buffer.parked_in = if polls_tracked_code() { current_scope() } else { None };
                (Poll::Pending, buffer.reader.replace(cx.waker().clone()))
            }
        };
        let parked_now = buffer.parked_in.is_some();
        let is_emptied = buffer.events.is_empty();
        drop(buffer);
        // The destructor of a waker is user code.
        drop(old_waker);
        self.streams.count_parked(parked_before, parked_now);
        if is_emptied {
            self.stream.emptied.notify_waiters();
        }
        poll
    }

    /// The next event, if one is buffered.
    #[cfg(feature = "testing")]
    pub(crate) fn try_next(&mut self) -> Option<Event> {
        self.stream.lock().pop()
    }
}

impl Drop for EventReader {
    fn drop(&mut self) {
        self.streams.lock().retain(|stream| !Arc::ptr_eq(stream, &self.stream));
        let (reader, was_parked) = {
            let mut buffer = self.stream.lock();
            buffer.is_ended = true;
            buffer.events.clear();
            (buffer.reader.take(), buffer.parked_in.take().is_some())
        };
        drop(reader);
        self.streams.count_parked(was_parked, false);
        self.stream.emptied.notify_waiters();
    }
}

impl Buffer {
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
        // Relaxed: the control plane reads it again every few milliseconds.
        match (before, now) {
            (false, true) => drop(self.parked.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(self.parked.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

impl EventStreams {
    pub(super) fn subscribe(&'static self) -> EventReader {
        let stream = Arc::new(EventStream::default());
        self.lock().push(Arc::clone(&stream));
        EventReader { streams: self, stream }
    }

    /// Puts an event into every stream.
    pub(super) fn publish(&self, event: &Event, hub: &'static Hub) {
        let streams = self.lock();
        let mut waiting = Vec::new();
        for stream in &*streams {
            let mut buffer = stream.lock();
            buffer.push(event);
            if buffer.reader.is_some() {
                waiting.push(Arc::clone(stream));
            }
        }
        drop(streams);
        wake(waiting, hub);
    }

    /// Returns true if a session or a body may wait for an event. Cheap.
    pub(super) fn has_watchers(&self) -> bool {
        self.parked.load(Ordering::Relaxed) > 0
    }

    /// Ends the streams that sessions and bodies of stopping scopes wait on, if there are as many of these as there
    /// are such streams: then only watchers are left to drain, which would wait for each other's end. `left` is the
    /// number of sessions and bodies of stopping scopes.
    pub(super) fn end_watchers(&self, left: u64, hub: &'static Hub) {
        let is_parked = |buffer: &Buffer| {
            let home = buffer.parked_in.map(Scope::home);
            buffer.events.is_empty() && home.is_some_and(|home| home.is_stopping(home.run_id()))
        };
        let streams = self.lock();
        let parked: Vec<_> = streams.iter().filter(|stream| is_parked(&stream.lock())).cloned().collect();
        drop(streams);
        if (parked.len() as u64) < left {
            return;
        }
        parked.iter().for_each(|stream| stream.lock().is_ended = true);
        wake(parked, hub);
    }

    /// Waits until a body of this scope that waits for events has read the buffered ones, so that a service that is
    /// dropped at its stop request reads that event first. `None` if nothing is unread.
    pub(super) fn unread(&self, scope: &'static Scope) -> Option<impl Future<Output = ()> + Send + use<>> {
        let is_unread = |buffer: &Buffer| {
            !buffer.events.is_empty() && buffer.parked_in.is_some_and(|parked_in| ptr::eq(parked_in, scope))
        };
        let streams = self.lock();
        let unread: Vec<_> = streams.iter().filter(|stream| is_unread(&stream.lock())).cloned().collect();
        drop(streams);
        (!unread.is_empty()).then_some(async move {
            for stream in unread {
                loop {
                    let mut emptied = pin!(stream.emptied.notified());
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

fn wake(streams: Vec<Arc<EventStream>>, hub: &'static Hub) {
    if streams.is_empty() {
        return;
    }
    hub.run_off_control(move || {
        for stream in streams {
            let reader = stream.lock().reader.take();
            if let Some(reader) = reader {
                reader.wake();
            }
        }
    });
}
