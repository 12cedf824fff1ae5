//! `tokio::spawn`: the floor.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Job, Way, arrive};

/// `tokio::spawn`, with a token for the stop, and handles to wait for the tasks.
#[derive(Debug)]
pub(super) struct Plain {
    token: CancellationToken,
    /// Only of tasks that wait for the stop: a plain `tokio::spawn` waits for no others.
    waiting: Vec<JoinHandle<()>>,
}

impl Way for Plain {
    const NAME: &'static str = "`tokio::spawn`";
    const KNOWS: &'static str = "nothing";

    async fn run<J: Job>(job: J) {
        let mut way = Self { token: CancellationToken::new(), waiting: Vec::new() };
        job.run(&mut way).await;
        for task in way.waiting {
            task.await.expect("work that waits does not panic");
        }
    }

    #[inline]
    fn spawn<F>(&mut self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        tokio::spawn(work);
    }

    fn spawn_job<J: Job>(&mut self, job: J) {
        let mut way = Self { token: self.token.clone(), waiting: Vec::new() };
        tokio::spawn(async move { job.run(&mut way).await });
    }

    fn spawn_waiting(&mut self) {
        let token = self.token.clone();
        self.waiting.push(tokio::spawn(async move {
            arrive();
            token.cancelled().await;
        }));
    }

    fn request_stop(&mut self) {
        self.token.cancel();
    }
}
