//! The spawned work: short tasks in large numbers.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::ways::{self, Job, Way};

/// How many tasks are spawned before they run. Their memory, at most 256 bytes each, stays below the amount that
/// glibc returns to the system when it is free, only to request it again.
pub const BATCH: usize = 200;

/// No way needs more tasks than this for itself and the jobs.
const SCAFFOLDING: usize = 10;

/// What a piece of work does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It returns at once.
    Empty,
    /// It yields once.
    OneYield,
}

impl Shape {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Empty, Self::OneYield];

    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::OneYield => "one yield",
        }
    }
}

/// How much work is spawned, and by how many tasks.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// What each piece of work does.
    pub shape: Shape,
    /// How many tasks spawn at the same time.
    pub spawners: usize,
    /// How many pieces of work each of them spawns: a multiple of [`BATCH`].
    pub each: usize,
}

impl Load {
    /// Spawns all of it by the way of this name, and returns the time until all of it has ended.
    pub async fn run(self, way: &str) -> Duration {
        let (took, answer) = mpsc::channel();
        match self.shape {
            Shape::Empty => ways::run(way, SpawnAndFinish { load: self, work: empty, took }).await,
            Shape::OneYield => ways::run(way, SpawnAndFinish { load: self, work: yield_now, took }).await,
        }
        answer.recv().expect("the job sends its duration")
    }
}

async fn empty() {}

struct SpawnAndFinish<F> {
    load: Load,
    work: F,
    took: mpsc::Sender<Duration>,
}

impl<F, Fut> Job for SpawnAndFinish<F>
where
    F: Fn() -> Fut + Copy + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    async fn run<W: Way>(self, way: &mut W) {
        let Self { load, work, took } = self;
        let metrics = Handle::current().metrics();
        let began = Instant::now();
        let mut spawners = Vec::new();
        for _ in 0..load.spawners {
            let (done, is_done) = oneshot::channel();
            way.spawn_job(Spawner { load, work, done });
            spawners.push(is_done);
        }
        for spawner in spawners {
            spawner.await.expect("a spawner does not panic");
        }
        settle(&metrics, SCAFFOLDING).await;
        took.send(began.elapsed()).expect("the measurement waits");
    }
}

struct Spawner<F> {
    load: Load,
    work: F,
    done: oneshot::Sender<()>,
}

impl<F, Fut> Job for Spawner<F>
where
    F: Fn() -> Fut + Copy + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    async fn run<W: Way>(self, way: &mut W) {
        let Self { load, work, done } = self;
        let metrics = Handle::current().metrics();
        let of_others = (load.spawners - 1) * BATCH;
        for _ in 0..load.each / BATCH {
            for _ in 0..BATCH {
                way.spawn(work());
            }
            settle(&metrics, SCAFFOLDING + of_others).await;
            way.reap();
        }
        done.send(()).expect("the job waits for its spawners");
    }
}

/// Waits until no more than this many tasks are alive. The runtime counts them anyway, so this costs every way the
/// same.
async fn settle(metrics: &RuntimeMetrics, tasks: usize) {
    while metrics.num_alive_tasks() > tasks {
        yield_now().await;
    }
}
