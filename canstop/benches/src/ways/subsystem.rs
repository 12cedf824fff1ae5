//! The tokio-graceful-shutdown crate.

use std::convert::Infallible;
use std::time::Duration;

use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};

use super::{Job, Way, arrive};

/// A subsystem that starts others: two tasks, a channel and a token for each.
pub(super) type Subsystem = SubsystemHandle;

const GRACE: Duration = Duration::from_secs(60);

impl Way for Subsystem {
    const NAME: &'static str = "tokio-graceful-shutdown";
    const KNOWS: &'static str = "a name, error, panic; can be stopped and abandoned";
    const HEAVY: bool = true;

    async fn run<J: Job>(job: J) {
        let toplevel = Toplevel::new(async move |root: &mut SubsystemHandle| job.run(root).await);
        toplevel.handle_shutdown_requests(GRACE).await.expect("measured work neither fails nor panics");
    }

    #[inline]
    fn spawn<F>(&mut self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.start(SubsystemBuilder::new("work", async move |_: &mut SubsystemHandle| {
            work.await;
            Ok::<(), Infallible>(())
        }));
    }

    fn spawn_job<J: Job>(&mut self, job: J) {
        self.start(SubsystemBuilder::new("job", async move |own: &mut SubsystemHandle| {
            job.run(own).await;
            Ok::<(), Infallible>(())
        }));
    }

    fn spawn_waiting(&mut self) {
        self.start(SubsystemBuilder::new("waiting", async |own: &mut SubsystemHandle| {
            arrive();
            own.on_shutdown_requested().await;
            Ok::<(), Infallible>(())
        }));
    }

    fn request_stop(&mut self) {
        self.request_shutdown();
    }
}
