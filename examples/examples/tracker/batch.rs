//! Writing a batch of events to the database.

use std::sync::Arc;
use std::time::Duration;

use canstop_examples::Database;
use tokio::time::{sleep, timeout};

use crate::event::Event;
use crate::store::{Connection, Store};

/// The largest number of events in one commit. While a commit is in progress the next batch collects, so
/// batches are small at a low load and grow with it.
pub(crate) const BATCH: usize = 1000;
/// The shortest and the longest pause after a failure; it doubles in between.
const PAUSES: [Duration; 2] = [Duration::from_millis(25), Duration::from_millis(400)];

/// Writes batches on one connection, and reconnects when it fails.
pub(crate) struct Batches {
    store: Store,
    connection: Option<Connection>,
}

impl Batches {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, connection: None }
    }

    /// Returns when the batch is committed, however long the database is down.
    pub(crate) async fn write(&mut self, batch: &[Arc<Event>]) {
        let [mut pause, longest] = PAUSES;
        loop {
            // Inserts are idempotent, so a retry is safe.
            let failure = match timeout(Database::ANSWER, self.try_to_write(batch)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {:?}", Database::ANSWER),
            };
            self.connection = None;
            tracing::warn!("cannot write a batch of {}, trying again in {pause:?}: {failure}", batch.len());
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    async fn try_to_write(&mut self, batch: &[Arc<Event>]) -> sqlx::Result<()> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.store.connect().await?),
        };
        connection.insert(batch).await
    }
}
