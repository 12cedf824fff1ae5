//! Tests on a paused clock that wait for threads which are not tokio's.

use std::thread;
use std::time::Duration;

/// The clock's step, and how much real time each takes.
const STEP: Duration = Duration::from_millis(1);
const REAL: Duration = Duration::from_micros(200);

/// Runs a future on a paused clock that nevertheless goes in small steps.
///
/// A database driver has threads of its own, which tokio does not see. While the only thing that goes on is a
/// query, the paused clock would jump to the next time-out. Here a step takes real time, in which the query ends.
///
/// ```
/// use std::time::Duration;
/// use canstop_examples::paced;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let (sender, answer) = tokio::sync::oneshot::channel();
/// std::thread::spawn(|| sender.send(42));
/// assert_eq!(paced(tokio::time::timeout(Duration::from_secs(60), answer)).await.unwrap(), Ok(42));
/// # });
/// ```
pub async fn paced<T>(work: impl Future<Output = T>) -> T {
    let steps = async {
        loop {
            // The clock does not move while the blocking pool works.
            let _ = tokio::task::spawn_blocking(|| thread::sleep(REAL)).await;
            tokio::time::sleep(STEP).await;
        }
    };
    tokio::select! {
        biased;
        output = work => output,
        () = steps => unreachable!("the steps go on until they are dropped"),
    }
}
