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

pub use plain::Plain;
pub use session::{RacingSession, Session};

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

/// Something that is done with every way.
pub trait Visitor {
    /// Does it with this one.
    fn visit<W: Way>(&mut self);
}

/// Visits every way, `tokio::spawn` first: it is the floor.
pub fn visit_all(visitor: &mut impl Visitor) {
    visit_own(visitor);
    visitor.visit::<tracker::Tracker>();
    visitor.visit::<tracker::TrackerAndChildToken>();
    visitor.visit::<join_set::Set>();
    #[cfg(feature = "peers")]
    {
        visitor.visit::<graceful::Graceful>();
        visitor.visit::<subsystem::Subsystem>();
    }
}

/// Visits the floor and what canstop has.
pub fn visit_own(visitor: &mut impl Visitor) {
    visitor.visit::<Plain>();
    visitor.visit::<Session>();
    visitor.visit::<RacingSession>();
}

/// Visits the way of this name.
///
/// # Panics
///
/// If there is none.
pub fn visit_named(name: &str, visitor: &mut impl Visitor) {
    struct Named<'a, V> {
        name: &'a str,
        visitor: Option<&'a mut V>,
    }
    impl<V: Visitor> Visitor for Named<'_, V> {
        fn visit<W: Way>(&mut self) {
            if W::NAME == self.name
                && let Some(visitor) = self.visitor.take()
            {
                visitor.visit::<W>();
            }
        }
    }
    let mut named = Named { name, visitor: Some(visitor) };
    visit_all(&mut named);
    assert!(named.visitor.is_none(), "no way is called {name}");
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
