//! tokio-util's `TaskTracker`, with a token for all or one for each.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Job, Way, arrive};

/// `TaskTracker`, which counts, and a token. Each task that waits for the stop holds a clone of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tracker {
    tracker: TaskTracker,
    token: CancellationToken,
}

impl Way for Tracker {
    const NAME: &'static str = "`TaskTracker`";
    const KNOWS: &'static str = "a count";

    async fn run<J: Job>(job: J) {
        let mut way = Self::default();
        job.run(&mut way).await;
        way.drained().await;
    }

    #[inline]
    fn spawn<F>(&mut self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(work);
    }

    fn spawn_job<J: Job>(&mut self, job: J) {
        let mut way = self.clone();
        self.tracker.spawn(async move { job.run(&mut way).await });
    }

    fn spawn_waiting(&mut self) {
        let token = self.token.clone();
        self.tracker.spawn(async move {
            arrive();
            token.cancelled().await;
        });
    }

    fn request_stop(&mut self) {
        self.token.cancel();
    }
}

impl Tracker {
    async fn drained(self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// `TaskTracker`, and a child token in each task, which the task races with its work.
#[derive(Clone, Debug, Default)]
pub(super) struct TrackerAndChildToken(Tracker);

impl Way for TrackerAndChildToken {
    const NAME: &'static str = "`TaskTracker` and child token";
    const KNOWS: &'static str = "a count; ends at the stop";

    async fn run<J: Job>(job: J) {
        let mut way = Self::default();
        job.run(&mut way).await;
        way.0.drained().await;
    }

    #[inline]
    fn spawn<F>(&mut self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let token = self.0.token.child_token();
        self.0.tracker.spawn(async move {
            // `biased` is cheaper: it draws no random number to choose the branch that is polled first.
            tokio::select! {
                biased;
                () = work => {}
                () = token.cancelled() => {}
            }
        });
    }

    fn spawn_job<J: Job>(&mut self, job: J) {
        let mut way = self.clone();
        self.0.tracker.spawn(async move { job.run(&mut way).await });
    }

    fn spawn_waiting(&mut self) {
        let token = self.0.token.child_token();
        self.0.tracker.spawn(async move {
            arrive();
            token.cancelled().await;
        });
    }

    fn request_stop(&mut self) {
        self.0.request_stop();
    }
}
