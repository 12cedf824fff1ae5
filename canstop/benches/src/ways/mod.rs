//! The ways to spawn work that somebody waits for, each as its own documentation would have it.

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
    /// What it is called in a table.
    const NAME: &'static str;
    /// What it can tell about the work that it spawned, or tell it.
    const KNOWS: &'static str;
    /// Is it too slow, or too large, to be measured with a million of anything?
    const HEAVY: bool = false;

    /// Sets the way up, runs a job with it, and returns when all is gone that was spawned.
    fn run<J: Job>(job: J) -> impl Future<Output = ()> + Send;

    /// Spawns a piece of work that is over soon.
    fn spawn<F>(&mut self, work: F)
    where
        F: Future<Output = ()> + Send + 'static;

    /// Spawns work that spawns by itself.
    fn spawn_job<J: Job>(&mut self, job: J);

    /// Takes back what it holds of the work that has ended.
    fn reap(&mut self) {}

    /// Spawns work that [arrives](arrive) and then waits for the stop.
    fn spawn_waiting(&mut self);

    /// Tells all that was spawned to stop.
    fn request_stop(&mut self);
}

/// Work that spawns by a way that it is given.
pub trait Job: Send + 'static {
    /// Does the work.
    fn run<W: Way>(self, way: &mut W) -> impl Future<Output = ()> + Send;
}

/// A way, as tables show it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its [`Way::NAME`].
    pub name: &'static str,
    /// Its [`Way::KNOWS`].
    pub knows: &'static str,
    /// Its [`Way::HEAVY`].
    pub is_heavy: bool,
    /// Is it the floor, or one of canstop's own?
    pub is_own: bool,
}

macro_rules! ways {
    ($($(#[$attribute:meta])* $way:ty, is_own: $is_own:literal;)*) => {
        /// Every way, `tokio::spawn` first: it is the floor.
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
                _ => panic!("no way is called {name}"),
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

/// Says that one more piece of work has begun to run. It costs that work no byte.
pub fn arrive() {
    ARRIVED.fetch_add(1, Ordering::Relaxed);
}

/// Waits until this many pieces of work have arrived, and forgets them.
pub async fn arrived(count: usize) {
    while ARRIVED.load(Ordering::Relaxed) < count {
        tokio::task::yield_now().await;
    }
    ARRIVED.store(0, Ordering::Relaxed);
}
