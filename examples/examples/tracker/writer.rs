//! The service that brings events into the database.

use std::sync::Arc;

use canstop::Lifecycle;

use crate::batch::{BATCH, Batches};
use crate::queue::Queue;
use crate::store::Store;

/// Writes the events of the queue, batch by batch, until it is told to stop and the queue is empty.
///
/// The http service comes `after` it, so it is told when there is nobody left who could push, and has
/// a second that nothing before it can use up. While the database is gone it keeps the batch and tries
/// again, also during the stop, as long as it may.
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
