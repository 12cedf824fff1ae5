//! canstop's sessions.

use std::future::pending;

use canstop::{Exit, Lifecycle, spawn_session};

use super::{Job, Way, arrive};

/// `spawn_session!`.
#[derive(Debug, Default)]
pub(super) struct Session {
    stop_requested: bool,
}

impl Way for Session {
    const NAME: &'static str = "`spawn_session!`";
    const KNOWS: &'static str =
        "site, owner, count, age, error, panic, waiting or blocking; can be stopped and abandoned";

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
        spawn_session!(work);
    }

    fn spawn_job<J: Job>(&mut self, job: J) {
        spawn_session!(async move { job.run(&mut Self::default()).await });
    }

    fn spawn_waiting(&mut self) {
        spawn_session!(async {
            arrive();
            Lifecycle::current().stopping().await;
        });
    }

    fn request_stop(&mut self) {
        Lifecycle::current().shutdown("measured");
        self.stop_requested = true;
    }
}

impl Session {
    /// A program stops once, so measurements without a stop leave the supervisor running.
    async fn drained(self) {
        if self.stop_requested {
            let report = canstop::run().await;
            assert_eq!(report.exit, Exit::Clean, "{report}");
        }
    }
}

/// `spawn_session!` around `run_until_stopping`: work that ends at once when the stop is requested.
#[derive(Debug, Default)]
pub(super) struct RacingSession(Session);

impl Way for RacingSession {
    const NAME: &'static str = "`spawn_session!` and `run_until_stopping`";
    const KNOWS: &'static str = "the same, and ends at the stop";

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
        spawn_session!(async move {
            Lifecycle::current().run_until_stopping(work).await;
        });
    }

    fn spawn_job<J: Job>(&mut self, job: J) {
        spawn_session!(async move { job.run(&mut Self::default()).await });
    }

    fn spawn_waiting(&mut self) {
        spawn_session!(async {
            arrive();
            Lifecycle::current().run_until_stopping(pending::<()>()).await;
        });
    }

    fn request_stop(&mut self) {
        self.0.request_stop();
    }
}
