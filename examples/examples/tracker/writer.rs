//! The service that brings events into the database.

use std::sync::Arc;
use std::time::Duration;

use canstop::Lifecycle;
use tokio::time::{sleep, timeout};

use crate::event::Event;
use crate::queue::Queue;
use crate::store::{Connection, Store};

/// The most events that one commit takes. While one is under way the next gathers, so batches are
/// small when there is little to do, and grow with the load.
const BATCH: usize = 1000;
/// A database that has not answered by then is taken for gone. To write a batch twice does no harm.
const ANSWER: Duration = Duration::from_secs(5);
/// The pause after a failure: it doubles from the one to the other.
const PAUSES: [Duration; 2] = [Duration::from_millis(25), Duration::from_millis(400)];

/// Writes the events of the queue, batch by batch, until it is told to stop and the queue is empty.
///
/// The http service comes `after` it, so it is told when there is nobody left who could push, and has
/// a second that nothing before it can use up. While the database is gone it keeps the batch and tries
/// again, also during the stop, as long as it may.
#[canstop::service(grace = "1s")]
pub(crate) async fn writer(lifecycle: Lifecycle, store: Store, queue: Arc<Queue>) {
    let mut writer = Writer { store, connection: None };
    loop {
        lifecycle.run_until_stopping(queue.filled()).await;
        let batch = queue.first(BATCH);
        if batch.is_empty() {
            break;
        }
        writer.write(&batch).await;
        queue.commit(batch.len());
    }
}

struct Writer {
    store: Store,
    connection: Option<Connection>,
}

impl Writer {
    /// Returns when the batch is committed.
    async fn write(&mut self, batch: &[Arc<Event>]) {
        let [mut pause, longest] = PAUSES;
        loop {
            let failure = match timeout(ANSWER, self.try_to_write(batch)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {ANSWER:?}"),
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
