//! Time per piece of work that is spawned and ends, as ratios to `tokio::spawn`.

use canstop_benches::arguments::{Arguments, read};
use canstop_benches::load::{BATCH, Load, Shape};
use canstop_benches::rounds::{Contestant, interleave};
use canstop_benches::supervised;
use canstop_benches::table::Table;
use canstop_benches::ways::{Visitor, Way, visit_all};
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
    let mut header = vec![String::new()];
    let mut columns: Vec<Vec<String>> = Vec::new();
    let mut names = Vec::new();
    for scene in scenes(quick) {
        for shape in Shape::ALL {
            let mut contestants = Contestants { runtimes, scene: &scene, shape, list: Vec::new() };
            visit_all(&mut contestants);
            let mut contestants = contestants.list;
            let samples = interleave(scene.rounds, &mut contestants);
            header.push(format!("{}, {}", scene.name, shape.name()));
            names = contestants.iter().map(|contestant| contestant.name).collect();
            columns.push(
                (0..names.len())
                    .map(|way| match way {
                        0 => format!("{:.0} ns", samples.median(0, 0).median),
                        _ => samples.ratio(way, 0).to_string(),
                    })
                    .collect(),
            );
        }
    }
    let mut table = Table::new(header);
    for (way, name) in names.iter().enumerate() {
        table.row([(*name).to_owned()].into_iter().chain(columns.iter().map(|column| column[way].clone())));
    }
    table
}

struct Contestants<'a> {
    runtimes: &'a Runtimes,
    scene: &'a Scene,
    shape: Shape,
    list: Vec<Contestant<'a, 1>>,
}

impl Visitor for Contestants<'_> {
    fn visit<W: Way>(&mut self) {
        let (runtimes, scene) = (self.runtimes, self.scene);
        let each = if W::HEAVY { scene.each / HEAVY_PART } else { scene.each }.next_multiple_of(BATCH);
        let load = Load { shape: self.shape, spawners: scene.spawners, each };
        let sample = move || {
            let took = match scene.threads {
                Threads::One => runtimes.one_thread.block_on(load.run::<W>()),
                Threads::Two => runtimes.two_workers.block_on(load.run::<W>()),
            };
            [took.as_secs_f64() * 1e9 / (load.each * load.spawners) as f64]
        };
        self.list.push(Contestant { name: W::NAME, sample: Box::new(sample) });
    }
}
