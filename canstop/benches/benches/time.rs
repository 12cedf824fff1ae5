//! Time per piece of work that is spawned and ends, as ratios to `tokio::spawn`.

use canstop_benches::arguments::{Arguments, read};
use canstop_benches::load::{BATCH, Load, Shape};
use canstop_benches::rounds::{Contestant, interleave};
use canstop_benches::supervised;
use canstop_benches::table::Table;
use canstop_benches::ways::{self, Kind};
use tokio::runtime::{Builder, Handle, Runtime};

/// A heavy way does this part of the work, which is enough for a time per piece.
const HEAVY_PART: usize = 20;

fn main() {
    let Arguments::Options(options) = read(&["--quick"]) else { panic!("this benchmark has no parts") };
    let quick = !options.is_empty();
    supervised::run_thread(move |two_workers| {
        let one_thread = Builder::new_current_thread().enable_all().build().expect("a runtime");
        println!("{}", table(&Runtimes { one_thread, two_workers: two_workers.clone() }, quick));
    });
}

struct Runtimes {
    one_thread: Runtime,
    two_workers: Handle,
}

#[derive(Clone, Copy, PartialEq)]
enum Threads {
    One,
    Two,
}

/// Where the work is spawned, by how many, and how much of it in how many rounds.
struct Scene {
    name: &'static str,
    threads: Threads,
    spawners: usize,
    each: usize,
    rounds: usize,
}

fn scenes(quick: bool) -> [Scene; 3] {
    let many = if quick { 100_000 } else { 1_000_000 };
    let (rounds, long_rounds) = if quick { (21, 3) } else { (201, 11) };
    [
        Scene { name: "one thread", threads: Threads::One, spawners: 1, each: 10_000, rounds },
        Scene { name: "two workers", threads: Threads::Two, spawners: 1, each: 10_000, rounds },
        Scene { name: "both spawn", threads: Threads::Two, spawners: 2, each: many, rounds: long_rounds },
    ]
}

fn table(runtimes: &Runtimes, quick: bool) -> Table {
    let ways = ways::all();
    let mut header = vec![String::new()];
    let mut rows: Vec<_> = ways.iter().map(|way| vec![way.name.to_owned()]).collect();
    for scene in scenes(quick) {
        for shape in Shape::ALL {
            let mut contestants: Vec<_> = ways.iter().map(|&way| contestant(runtimes, &scene, shape, way)).collect();
            let samples = interleave(scene.rounds, &mut contestants);
            header.push(format!("{}, {}", scene.name, shape.name()));
            rows[0].push(format!("{:.0} ns", samples.median(0, 0).median));
            for (way, row) in rows.iter_mut().enumerate().skip(1) {
                row.push(samples.ratio(way, 0).to_string());
            }
        }
    }
    let mut table = Table::new(header);
    rows.into_iter().for_each(|row| table.row(row));
    table
}

fn contestant<'a>(runtimes: &'a Runtimes, scene: &'a Scene, shape: Shape, way: Kind) -> Contestant<'a, 1> {
    let each = if way.is_heavy { scene.each / HEAVY_PART } else { scene.each }.next_multiple_of(BATCH);
    let load = Load { shape, spawners: scene.spawners, each };
    let sample = move || {
        let took = match scene.threads {
            Threads::One => runtimes.one_thread.block_on(load.run(way.name)),
            Threads::Two => runtimes.two_workers.block_on(load.run(way.name)),
        };
        [took.as_secs_f64() * 1e9 / (load.each * load.spawners) as f64]
    };
    Contestant { name: way.name, sample: Box::new(sample) }
}
