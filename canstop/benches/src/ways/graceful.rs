//! The tokio-graceful crate.

use tokio_graceful::{Shutdown, ShutdownGuard};
use tokio_util::sync::CancellationToken;

use super::{Job, Way, arrive};

/// Tasks that hold a guard.
#[derive(Clone, Debug)]
pub(super) struct Graceful {
    guard: ShutdownGuard,
    /// The signal that stops it.
    signal: CancellationToken,
}

impl Way for Graceful {
    const NAME: &'static str = "tokio-graceful";
    const KNOWS: &'static str = "a count";

    async fn run<J: Job>(job: J) {
        let signal = CancellationToken::new();
        let shutdown = Shutdown::new(signal.clone().cancelled_owned());
        job.run(&mut Self { guard: shutdown.guard(), signal: signal.clone() }).await;
        // It first waits for the signal, which a measurement without a stop has not sent.
        signal.cancel();
        shutdown.shutdown().await;
    }

    #[inline]
    fn spawn<F>(&mut self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.guard.spawn_task(work);
    }

    fn spawn_job<J: Job>(&mut self, job: J) {
        let mut way = self.clone();
        self.guard.spawn_task(async move { job.run(&mut way).await });
    }

    fn spawn_waiting(&mut self) {
        self.guard.spawn_task_fn(|guard| async move {
            arrive();
            guard.cancelled().await;
        });
    }

    fn request_stop(&mut self) {
        self.signal.cancel();
    }
}
