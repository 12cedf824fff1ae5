//! The ways to spawn work and wait for it, each as its own documentation recommends.

mod plain;
mod session;
mod tracker;
mod join_set;
#[cfg(feature = "peers")]
mod graceful;
#[cfg(feature = "peers")]
mod subsystem;

use std::sync::atomic::{AtomicUsize, Ordering};

/// One way to spawn work.
pub trait Way: Send + 'static {
    /// Its name in a table.
    const NAME: &'static str;
    /// What it knows about the spawned work, and what it can do with it.
    const KNOWS: &'static str;
    /// True if it is too slow, or too large, to be measured with a million tasks.
    const HEAVY: bool = false;

    /// Sets the way up, runs a job with it, and returns when all spawned work has ended.
    fn run<J: Job>(job: J) -> impl Future<Output = ()> + Send;

    /// Spawns a short task.
    fn spawn<F>(&mut self, work: F)
    where
        F: Future<Output = ()> + Send + 'static;

    /// Spawns work that itself spawns.
    fn spawn_job<J: Job>(&mut self, job: J);

    /// Frees what it holds for work that has ended.
    fn reap(&mut self) {}

    /// Spawns work that [arrives](arrive) and then waits for the stop.
    fn spawn_waiting(&mut self);

    /// Requests the stop of all spawned work.
    fn request_stop(&mut self);
}

/// Work that spawns by a given way.
pub trait Job: Send + 'static {
    /// Does the work.
    fn run<W: Way>(self, way: &mut W) -> impl Future<Output = ()> + Send;
}

/// The properties of a way that tables show.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its [`Way::NAME`].
    pub name: &'static str,
    /// Its [`Way::KNOWS`].
    pub knows: &'static str,
    /// Its [`Way::HEAVY`].
    pub is_heavy: bool,
    /// True for the floor and for canstop's own ways.
    pub is_own: bool,
}

macro_rules! ways {
    ($($(#[$attribute:meta])* $way:ty, is_own: $is_own:literal;)*) => {
        /// Every way. The first one, `tokio::spawn`, is the floor.
        pub fn all() -> Vec<Kind> {
            vec![$($(#[$attribute])* {
                let (name, knows, is_heavy) = (<$way>::NAME, <$way>::KNOWS, <$way>::HEAVY);
                Kind { name, knows, is_heavy, is_own: $is_own }
            }),*]
        }

        /// Runs a job by the way of this name.
        ///
        /// # Panics
        ///
        /// If there is none.
        pub async fn run<J: Job>(name: &str, job: J) {
            match name {
                $($(#[$attribute])* <$way>::NAME => <$way>::run(job).await,)*
                _ => panic!("there is no way {name}"),
            }
        }
    };
}

ways! {
    plain::Plain, is_own: true;
    session::Session, is_own: true;
    session::RacingSession, is_own: true;
    tracker::Tracker, is_own: false;
    tracker::TrackerAndChildToken, is_own: false;
    join_set::Set, is_own: false;
    #[cfg(feature = "peers")]
    graceful::Graceful, is_own: false;
    #[cfg(feature = "peers")]
    subsystem::Subsystem, is_own: false;
}

static ARRIVED: AtomicUsize = AtomicUsize::new(0);

/// Counts one more task that has started to run. It adds no byte to the task.
pub fn arrive() {
    ARRIVED.fetch_add(1, Ordering::Relaxed);
}

/// Waits until this many tasks have arrived, and resets the count.
pub async fn arrived(count: usize) {
    while ARRIVED.load(Ordering::Relaxed) < count {
        tokio::task::yield_now().await;
    }
    ARRIVED.store(0, Ordering::Relaxed);
}
