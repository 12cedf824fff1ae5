//! tokio's `JoinSet`.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Job, Way, arrive};

/// A `JoinSet` for each spawning task, because it cannot be shared.
#[derive(Debug)]
pub(super) struct Set {
    set: JoinSet<()>,
    token: CancellationToken,
}

impl Way for Set {
    const NAME: &'static str = "`JoinSet`";
    const KNOWS: &'static str = "each task, to its one owner";

    async fn run<J: Job>(job: J) {
        let mut way = Self { set: JoinSet::new(), token: CancellationToken::new() };
        job.run(&mut way).await;
        way.set.join_all().await;
    }

    #[inline]
    fn spawn<F>(&mut self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.set.spawn(work);
    }

    fn spawn_job<J: Job>(&mut self, job: J) {
        let mut way = Self { set: JoinSet::new(), token: self.token.clone() };
        self.set.spawn(async move {
            job.run(&mut way).await;
            way.set.join_all().await;
        });
    }

    fn reap(&mut self) {
        while let Some(ended) = self.set.try_join_next() {
            ended.expect("measured work does not panic");
        }
    }

    fn spawn_waiting(&mut self) {
        let token = self.token.clone();
        self.set.spawn(async move {
            arrive();
            token.cancelled().await;
        });
    }

    fn request_stop(&mut self) {
        self.token.cancel();
    }
}
