//! The queue between the request handlers and the writer.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use crate::event::{Event, NewEvent};

/// Accepted events that are not known to be in the database, in the order of their ids.
///
/// An event leaves the queue only when it is committed. So no event is lost if a task panics or is dropped
/// meanwhile, and at the end of the program the queue holds exactly the events in doubt.
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

    /// Adds an event, and assigns its id.
    pub(crate) fn push(&self, new: NewEvent) -> Result<Receipt, QueueFull> {
        let (committed, receipt) = oneshot::channel();
        let mut inner = self.lock();
        if inner.waiting.len() == self.capacity {
            inner.refused += 1;
            return Err(QueueFull);
        }
        // Under the lock, so that the queue is in the order of the ids.
        let id = Uuid::now_v7();
        let event = Arc::new(Event { id, kind: new.kind, data: new.data });
        inner.waiting.push_back(Waiting { event, committed });
        inner.accepted += 1;
        drop(inner);
        self.pushed.notify_one();
        Ok(Receipt { id, committed: receipt })
    }

    /// Waits until the queue is not empty. Only one task may wait: the writer.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it removes nothing.
    pub(crate) async fn filled(&self) {
        while self.lock().waiting.is_empty() {
            self.pushed.notified().await;
        }
    }

    /// The first events, `limit` at most. They stay in the queue.
    pub(crate) fn first(&self, limit: usize) -> Vec<Arc<Event>> {
        self.lock().waiting.iter().take(limit).map(|waiting| Arc::clone(&waiting.event)).collect()
    }

    /// Removes the first `count` events, which are in the database.
    pub(crate) fn commit(&self, count: usize) {
        let committed: Vec<_> = self.lock().waiting.drain(..count).collect();
        for waiting in committed {
            // No receiver is left if the session was abandoned or the client has disconnected.
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

    /// The accepted events that are not known to be committed; `None` if there are none.
    pub(crate) fn in_doubt(&self) -> Option<InDoubt> {
        let inner = self.lock();
        let (first, last) = (inner.waiting.front()?, inner.waiting.back()?);
        Some(InDoubt { count: inner.waiting.len(), first: first.event.id, last: last.event.id })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code between two related changes panics, so a poisoned queue is consistent.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id of an accepted event, and a way to wait for its commit.
pub(crate) struct Receipt {
    pub(crate) id: Uuid,
    committed: oneshot::Receiver<()>,
}

impl Receipt {
    /// Waits until the event is in the database.
    pub(crate) async fn committed(self) {
        // The sender stays in the queue until the commit, and the queue is dropped only with the program.
        let _ = self.committed.await;
    }
}

/// The queue is at its capacity: the writer is behind.
#[derive(Debug)]
pub(crate) struct QueueFull;

/// Counts of events since the process started.
#[derive(Serialize)]
pub(crate) struct Stats {
    accepted: u64,
    committed: u64,
    queued: u64,
    capacity: u64,
    refused: u64,
}

/// A range of ids of events that may or may not be in the database.
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
