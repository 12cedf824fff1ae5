//! Time per task that is spawned and ends, as ratios to `tokio::spawn`.

use canstop::Flavor;
use canstop_benches::arguments::{Arguments, read};
use canstop_benches::load::{BATCH, Load, Shape};
use canstop_benches::rounds::{Contestant, interleave};
use canstop_benches::supervised;
use canstop_benches::table::Table;
use canstop_benches::ways::{self, Kind};
use tokio::runtime::Handle;

/// A heavy way runs this fraction of the tasks, which is enough to measure the time per task.
const HEAVY_PART: usize = 20;

fn main() {
    let Arguments::Options(options) = read(&["--quick"]) else { panic!("this benchmark has no parts") };
    let quick = !options.is_empty();
    let many = if quick { 100_000 } else { 1_000_000 };
    let (rounds, long_rounds) = if quick { (21, 3) } else { (201, 11) };
    let one_thread = Scenario { name: "one thread", spawners: 1, each: 10_000, rounds };
    let two_workers = Scenario { name: "two workers", ..one_thread };
    let both_spawn = Scenario { name: "both spawn", spawners: 2, each: many, rounds: long_rounds };

    let columns = [
        supervised::run_beside(Flavor::CurrentThread, move |runtime| one_thread.columns(runtime).to_vec()),
        supervised::run_beside(Flavor::MultiThread, move |runtime| {
            [two_workers.columns(runtime), both_spawn.columns(runtime)].concat()
        }),
    ]
    .concat();
    let mut table = Table::new([""].into_iter().chain(columns.iter().map(|column| column.header.as_str())));
    for (index, way) in ways::all().into_iter().enumerate() {
        table.row([way.name].into_iter().chain(columns.iter().map(|column| column.cells[index].as_str())));
    }
    println!("{table}");
}

/// How many tasks spawn, how much work each spawns, and in how many rounds.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    spawners: usize,
    each: usize,
    rounds: usize,
}

#[derive(Clone)]
struct Column {
    header: String,
    /// One for each way.
    cells: Vec<String>,
}

impl Scenario {
    fn columns(self, runtime: &Handle) -> [Column; 2] {
        Shape::ALL.map(|shape| {
            let contestants = ways::all().into_iter().map(|way| self.contestant(runtime, shape, way));
            let mut contestants: Vec<_> = contestants.collect();
            let samples = interleave(self.rounds, &mut contestants);
            let cell = |way| match way {
                0 => format!("{:.0} ns", samples.median(way, 0).median),
                _ => samples.ratio(way, 0).to_string(),
            };
            let header = format!("{}, {}", self.name, shape.name());
            Column { header, cells: (0..contestants.len()).map(cell).collect() }
        })
    }

    fn contestant(self, runtime: &Handle, shape: Shape, way: Kind) -> Contestant<'_, 1> {
        let each = if way.is_heavy { self.each / HEAVY_PART } else { self.each }.next_multiple_of(BATCH);
        let load = Load { shape, spawners: self.spawners, each };
        let sample = move || {
            let took = runtime.block_on(load.run(way.name));
            [took.as_secs_f64() * 1e9 / (load.each * load.spawners) as f64]
        };
        Contestant { name: way.name, sample: Box::new(sample) }
    }
}
