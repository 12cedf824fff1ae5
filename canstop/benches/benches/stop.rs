//! The time from the stop request until every waiting session has been woken and has ended.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use canstop::Flavor;
use canstop_benches::arguments::{Arguments, read};
use canstop_benches::rounds::{Contestant, interleave};
use canstop_benches::table::Table;
use canstop_benches::ways::{self, Job, Way, arrived};
use canstop_benches::{child, supervised};

fn main() {
    let options = match read(&["--quick"]) {
        Arguments::Part(part) => return measure(&part),
        Arguments::Options(options) => options,
    };
    let quick = !options.is_empty();
    let rounds = if quick { 3 } else { 11 };
    let counts: &[usize] = if quick { &[10_000, 100_000] } else { &[10_000, 100_000, 1_000_000] };
    for &count in counts {
        println!("{}", table(count, rounds));
    }
}

fn table(count: usize, rounds: usize) -> Table {
    let (heavy, ways): (Vec<_>, Vec<_>) = ways::all().into_iter().partition(|way| way.is_heavy && count > 100_000);
    let mut contestants: Vec<Contestant<'_, 2>> = ways
        .iter()
        .map(|way| Contestant {
            name: way.name,
            sample: Box::new(move || child::figures(&[way.name, &count.to_string()])),
        })
        .collect();
    let samples = interleave(rounds, &mut contestants);
    let mut table = Table::new([&format!("{count} sessions"), "all gone", "as a ratio", "the call returns"]);
    for (way, contestant) in contestants.iter().enumerate() {
        let [gone, called] = [0, 1].map(|figure| format!("{:.2} ms", samples.median(way, figure).median));
        table.row([contestant.name.to_owned(), gone, samples.ratio(way, 0).to_string(), called]);
    }
    for way in heavy {
        table.row([way.name, "not measured", "", ""]);
    }
    table
}

/// Measures one stop, in a process of its own because a program stops once.
fn measure(part: &[String]) {
    let [way, count] = part else { panic!("not a way and a count: {part:?}") };
    let (requested, when) = mpsc::channel();
    let stop = Stop { count: count.parse().expect("a count"), requested };
    supervised::run(Flavor::MultiThread, async {
        ways::run(way, stop).await;
        let (began, called) = when.recv().expect("the stop was requested");
        let milliseconds = |took: Duration| took.as_secs_f64() * 1e3;
        println!("{} {}", milliseconds(began.elapsed()), milliseconds(called));
    });
}

/// `count` sessions that wait, and then the stop.
struct Stop {
    count: usize,
    /// When the stop was requested, and how long the call took.
    requested: mpsc::Sender<(Instant, Duration)>,
}

impl Job for Stop {
    async fn run<W: Way>(self, way: &mut W) {
        for _ in 0..self.count {
            way.spawn_waiting();
        }
        arrived(self.count).await;
        let began = Instant::now();
        way.request_stop();
        self.requested.send((began, began.elapsed())).expect("the measurement waits");
    }
}
