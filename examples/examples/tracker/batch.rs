//! How a batch of events comes into the database.

use std::sync::Arc;
use std::time::Duration;

use canstop_examples::Database;
use tokio::time::{sleep, timeout};

use crate::event::Event;
use crate::store::{Connection, Store};

/// The most events that one commit takes. While one is under way the next gathers, so batches are
/// small when there is little to do, and grow with the load.
pub(crate) const BATCH: usize = 1000;
/// The pause after a failure: it doubles from the one to the other.
const PAUSES: [Duration; 2] = [Duration::from_millis(25), Duration::from_millis(400)];

/// Writes batches on a connection, and makes another one when that fails.
pub(crate) struct Batches {
    store: Store,
    connection: Option<Connection>,
}

impl Batches {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, connection: None }
    }

    /// Returns when the batch is committed, however long the database is gone.
    pub(crate) async fn write(&mut self, batch: &[Arc<Event>]) {
        let [mut pause, longest] = PAUSES;
        loop {
            // To write a batch twice does no harm.
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
