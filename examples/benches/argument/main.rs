//! Latency, throughput and events lost in a redeploy, for a handler that writes synchronously, through
//! `spawn_session!`, and through `tokio::spawn`.
//!
//! `examples/examples/tracker/measure.sh` builds what this needs and runs it. It prints the tables of the
//! tracker's README and draws its plot. The variants take turns, on the same machine as their clients; so
//! compare them with each other, not with other machines.
//!
//! By default the database is a new SQLite file. `DATABASE_URL` in the environment selects another database,
//! which must be new too.

mod load;
mod plot;
mod stage;

use std::thread::sleep;
use std::time::{Duration, Instant};

use canstop_examples::program::Signal;

use crate::load::{Load, Pace, Post};
use crate::plot::{Line, plot};
use crate::stage::Stage;

/// Events a second when waits are measured.
const RATE: u32 = 1000;
/// Events a second across a redeploy: enough that some are always in flight to the database.
const REDEPLOY_RATE: u32 = 2000;
const ROUNDS: usize = 9;
const PAIRS: usize = 201;
const SLICE: Duration = Duration::from_millis(150);
const THROUGHPUT_ROUND: Duration = Duration::from_secs(2);
const LATENCY_ROUND: Duration = Duration::from_secs(3);
const STOPS: usize = 20;
const REDEPLOY: Duration = Duration::from_secs(6);
/// The width of a point in the plot.
const POINT: Duration = Duration::from_millis(100);

/// How the handler writes an event to the database.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Synchronous,
    Session,
    Spawn,
}

impl Way {
    const ALL: [Way; 3] = [Way::Synchronous, Way::Session, Way::Spawn];

    fn name(self) -> &'static str {
        match self {
            Way::Synchronous => "synchronously",
            Way::Session => "`spawn_session!`",
            Way::Spawn => "`tokio::spawn`",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Way::Synchronous | Way::Session => "tracker",
            Way::Spawn => "tracker_tokio",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Way::Synchronous => "/events?durable=true",
            Way::Session | Way::Spawn => "/events",
        }
    }
}

fn main() {
    // `cargo test --benches` runs this too, and it takes too long for a test.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let ratio = median(measure_ratio());
    println!("Events a second, `spawn_session!` / `tokio::spawn`, median of {PAIRS} pairs: {ratio:.3}\n");
    let throughput = measure_throughput();
    let latency = measure_latency();
    let losses = Way::ALL.map(measure_loss);

    println!("| The handler writes | p50 | p99 | events a second | lost at SIGTERM |");
    println!("|---|---|---|---|---|");
    for (index, way) in Way::ALL.into_iter().enumerate() {
        let (p50, p99) = (percentile(&latency[index], 0.5), percentile(&latency[index], 0.99));
        let events = median(throughput[index].clone());
        let (lost, answered) = losses[index];
        println!("| {} | {p50:.2?} | {p99:.2?} | {events:.0} | {lost} of {answered} |", way.name());
    }
    println!();
    let lines = Way::ALL.map(measure_redeploy);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/tracker/redeploy.svg");
    std::fs::write(file, plot(&lines, REDEPLOY)).unwrap_or_else(|error| panic!("cannot write {file}: {error}"));
    println!("\nThe plot is {file}.");
}

/// Events a second of each way, round by round.
fn measure_throughput() -> [Vec<f64>; 3] {
    let stage = Stage::new();
    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (way, rates) in Way::ALL.into_iter().zip(&mut rates) {
            let program = stage.start(way.program());
            rates.push(events_a_second(way, &stage, THROUGHPUT_ROUND));
            program.signal(Signal::Terminate);
            program.wait();
        }
    }
    rates
}

/// The cost of a session compared to a task: the ratio of their events a second, slice by slice. Both programs
/// run and take short turns, so a machine whose speed drifts treats them alike. Both databases are in memory, so
/// the disk makes no difference.
fn measure_ratio() -> Vec<f64> {
    let ways = [Way::Session, Way::Spawn];
    let stages = ways.map(|_| Stage::in_memory());
    let programs = [0, 1].map(|index| stages[index].start(ways[index].program()));
    let slice = |index: usize| events_a_second(ways[index], &stages[index], SLICE);
    let pair = |pair: usize| {
        // The order alternates.
        let first = pair % 2;
        let mut rates = [0.0; 2];
        for index in [first, 1 - first] {
            rates[index] = slice(index);
        }
        rates[0] / rates[1]
    };
    let ratios = (0..PAIRS).map(pair).collect();
    for program in programs {
        program.signal(Signal::Terminate);
        program.wait();
    }
    ratios
}

/// Throughput with clients that post as fast as they can.
fn events_a_second(way: Way, stage: &Stage, duration: Duration) -> f64 {
    let load = Load::begin(stage.address(), way.path(), Pace::AsFastAsCan);
    let began = load.began();
    sleep(duration);
    let posts = load.enough();
    let took = began.elapsed();
    posts.iter().filter(|post| post.created.is_some()).count() as f64 / took.as_secs_f64()
}

/// The clients' waits at a rate below the machine's capacity, sorted.
fn measure_latency() -> [Vec<Duration>; 3] {
    let stage = Stage::new();
    let mut latencies = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (index, way) in Way::ALL.into_iter().enumerate() {
            let program = stage.start(way.program());
            let load = Load::begin(stage.address(), way.path(), Pace::ASecond(RATE));
            sleep(LATENCY_ROUND);
            latencies[index].extend(load.enough().iter().map(|post| post.took));
            program.signal(Signal::Terminate);
            program.wait();
        }
    }
    for latencies in &mut latencies {
        latencies.sort_unstable();
    }
    latencies
}

/// How many events were answered with 201 and are not in the database, and how many were answered at all.
fn measure_loss(way: Way) -> (usize, usize) {
    let stage = Stage::new();
    let (mut lost, mut answered) = (0, 0);
    for _ in 0..STOPS {
        let program = stage.start(way.program());
        let load = Load::begin(stage.address(), way.path(), Pace::AsFastAsCan);
        sleep(Duration::from_millis(300));
        program.signal(Signal::Terminate);
        program.wait();
        let created: Vec<_> = load.enough().iter().filter_map(|post| post.created).collect();
        answered += created.len();
        lost += stage.missing(&created);
    }
    (lost, answered)
}

/// Latency over time, with a SIGTERM in the middle and a new process as soon as the old one has ended.
fn measure_redeploy(way: Way) -> Line {
    let stage = Stage::new();
    let program = stage.start(way.program());
    let load = Load::begin(stage.address(), way.path(), Pace::ASecond(REDEPLOY_RATE));
    let began = load.began();
    sleep(REDEPLOY / 2);
    let stopped = Instant::now();
    program.signal(Signal::Terminate);
    program.wait();
    let program = stage.start(way.program());
    let gap = stopped.elapsed();
    sleep(REDEPLOY / 2);
    let posts = load.enough();
    program.signal(Signal::Terminate);
    program.wait();

    let created: Vec<_> = posts.iter().filter_map(|post| post.created).collect();
    let lost = stage.missing(&created);
    println!("{}: a redeploy of {gap:.0?}, {} events answered, {lost} lost", way.name(), created.len());
    Line { name: way.name().replace('`', ""), lost, worst: worst_of_each_point(&posts, began) }
}

/// The longest wait of each point.
fn worst_of_each_point(posts: &[Post], began: Instant) -> Vec<(Duration, Duration)> {
    let points = (REDEPLOY.as_millis() / POINT.as_millis()) as u32;
    let worst = |point: u32| {
        let from = POINT * point;
        let within = |post: &&Post| (from..from + POINT).contains(&post.at.duration_since(began));
        posts.iter().filter(within).map(|post| (from, post.took)).max_by_key(|(_, took)| *took)
    };
    (0..points).filter_map(worst).collect()
}

fn percentile(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
