//! The queue between those who accept events and the writer.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use crate::event::{Event, NewEvent};

/// Events that were accepted and are not in the database yet, in the order of their ids.
///
/// An event leaves the queue when it is committed, and not before. So it is never forgotten, whoever
/// panics or is dropped meanwhile, and what stands here when the program ends is all that is in doubt.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    capacity: usize,
    pushed: Notify,
}

struct Inner {
    waiting: VecDeque<Waiting>,
    accepted: u64,
    refused: u64,
}

struct Waiting {
    event: Arc<Event>,
    committed: oneshot::Sender<()>,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        let inner = Inner { waiting: VecDeque::with_capacity(capacity), accepted: 0, refused: 0 };
        Self { inner: Mutex::new(inner), capacity, pushed: Notify::new() }
    }

    /// Takes an event in, and gives it its id.
    pub(crate) fn push(&self, new: NewEvent) -> Result<Receipt, QueueFull> {
        let (committed, receipt) = oneshot::channel();
        let mut inner = self.lock();
        if inner.waiting.len() == self.capacity {
            inner.refused += 1;
            return Err(QueueFull);
        }
        // Under the lock, so that the order of the queue is that of the ids.
        let id = Uuid::now_v7();
        let event = Arc::new(Event { id, kind: new.kind, data: new.data });
        inner.waiting.push_back(Waiting { event, committed });
        inner.accepted += 1;
        drop(inner);
        self.pushed.notify_one();
        Ok(Receipt { id, committed: receipt })
    }

    /// Waits until there is an event. Only one may wait: the writer.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it takes nothing.
    pub(crate) async fn filled(&self) {
        while self.lock().waiting.is_empty() {
            self.pushed.notified().await;
        }
    }

    /// The first events, at most so many. They stay in the queue.
    pub(crate) fn first(&self, limit: usize) -> Vec<Arc<Event>> {
        self.lock().waiting.iter().take(limit).map(|waiting| Arc::clone(&waiting.event)).collect()
    }

    /// The first events, so many, are in the database.
    pub(crate) fn commit(&self, count: usize) {
        let committed: Vec<_> = self.lock().waiting.drain(..count).collect();
        for waiting in committed {
            // Nobody waits for it where the session was cut off or the client has gone.
            let _ = waiting.committed.send(());
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let inner = self.lock();
        let queued = inner.waiting.len() as u64;
        Stats {
            accepted: inner.accepted,
            committed: inner.accepted - queued,
            queued,
            capacity: self.capacity as u64,
            refused: inner.refused,
        }
    }

    /// The events whose fate is not known: accepted, but not known to be committed.
    pub(crate) fn in_doubt(&self) -> Option<InDoubt> {
        let inner = self.lock();
        let (first, last) = (inner.waiting.front()?, inner.waiting.back()?);
        Some(InDoubt { count: inner.waiting.len(), first: first.event.id, last: last.event.id })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics between two changes that belong together.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that an event was taken in, and tells when it is committed.
pub(crate) struct Receipt {
    pub(crate) id: Uuid,
    committed: oneshot::Receiver<()>,
}

impl Receipt {
    /// Waits until the event is in the database.
    pub(crate) async fn committed(self) {
        // The sender stays in the queue until then, and the queue until the end of the program.
        let _ = self.committed.await;
    }
}

/// There are as many events as the queue may hold: the writer is behind.
#[derive(Debug)]
pub(crate) struct QueueFull;

/// What this process has done so far.
#[derive(Serialize)]
pub(crate) struct Stats {
    accepted: u64,
    committed: u64,
    queued: u64,
    capacity: u64,
    refused: u64,
}

/// Events that may be in the database or not. Their ids follow on each other.
pub(crate) struct InDoubt {
    count: usize,
    first: Uuid,
    last: Uuid,
}

impl fmt::Display for InDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, first, last } = self;
        write!(f, "{count} events in doubt, ids {first} to {last}: they were accepted and not seen to be committed")
    }
}
