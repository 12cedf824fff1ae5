//! The service that writes events to the database.

use std::sync::Arc;

use canstop::Lifecycle;

use crate::batch::{BATCH, Batches};
use crate::queue::Queue;
use crate::store::Store;

/// Writes the events of the queue, batch by batch, until it is stopping and the queue is empty.
///
/// The http service names it in `after`, so it stops when no handler is left that could push, within a second
/// that is reserved for it. While the database is down it keeps the batch and tries again, also during the stop.
#[canstop::service(grace = "1s")]
pub(crate) async fn writer(lifecycle: Lifecycle, store: Store, queue: Arc<Queue>) {
    let mut batches = Batches::new(store);
    loop {
        lifecycle.run_until_stopping(queue.filled()).await;
        let batch = queue.first(BATCH);
        if batch.is_empty() {
            break;
        }
        batches.write(&batch).await;
        queue.commit(batch.len());
    }
}
