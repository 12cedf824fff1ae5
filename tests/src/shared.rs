//! What a supervised program and one without a supervisor share: a library does not know which it is in.

use canstop::spawn_session;
use tokio::task::JoinHandle;

/// Records an event in the background, once it is delivered. In a supervised program a stop waits for it; anywhere
/// else it is a plain task.
pub fn record(id: u32, delivered: impl Future<Output = ()> + Send + 'static) -> JoinHandle<u32> {
    spawn_session!(or_task, async move {
        delivered.await;
        tokio::task::yield_now().await;
        println!("recorded {id}");
        id
    })
}
