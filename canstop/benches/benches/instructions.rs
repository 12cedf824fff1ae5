//! Instructions per session, counted by callgrind, as ratios to `tokio::spawn`.
//!
//! What an allocation costs depends on where the heap starts, which the length of an environment variable moves:
//! glibc searches for a place that is aligned to the 128 bytes of a task, and gives pages back. So everything is
//! counted from several starts of the heap, and the mean counts.
//!
//! `--check` compares canstop's ratios with the committed baseline, `--bless` rewrites the baseline, `--files`
//! prints the instructions of a session by source file, and `--quick` leaves out everything but canstop.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::process::ExitCode;
use std::thread;

use canstop::Flavor;
use canstop_benches::arguments::{Arguments, read};
use canstop_benches::baseline::{Baseline, Figures};
use canstop_benches::callgrind::{self, Count};
use canstop_benches::load::{BATCH, Load, Shape};
use canstop_benches::races::Race;
use canstop_benches::supervised;
use canstop_benches::table::Table;
use canstop_benches::ways;

/// One-time work happens in the run of few, so the difference between few and many does not contain it.
const FEW: usize = 5 * BATCH;
const MANY: usize = 30 * BATCH;

/// How many starts of the heap there are.
const STARTS: usize = 8;

/// How far they are apart: so they differ both in their page and within the 128 bytes that a task is aligned to.
const APART: usize = 4096 + 16;

/// How many turns of its task a wait takes.
const WAITS: [(&str, u32); 2] = [("one wait", 1), ("ten waits", 10)];

const BASELINE: Baseline = Baseline::at(concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.baseline"));

fn main() -> ExitCode {
    match read(&["--quick", "--check", "--bless", "--files"]) {
        Arguments::Part(part) => measure(&part),
        Arguments::Options(_) if !callgrind::is_installed() => {
            println!("instructions: not counted, because valgrind is not installed; to count them, install it");
        }
        Arguments::Options(options) => return report(&options),
    }
    ExitCode::SUCCESS
}

fn report(options: &[String]) -> ExitCode {
    let has = |option: &str| options.iter().any(|given| given == option);
    if has("--files") {
        println!("{}", by_file());
        return ExitCode::SUCCESS;
    }
    let for_baseline = has("--check") || has("--bless");
    if for_baseline && cfg!(feature = "peers") {
        eprintln!("with the peers the compiler inlines differently: leave out `--features peers`");
        return ExitCode::FAILURE;
    }
    let (ways, mut figures) = ways(for_baseline || has("--quick"));
    println!("{ways}");
    let (races, of_races) = races();
    println!("{races}");
    figures.extend(of_races);
    if has("--bless") {
        BASELINE.bless(&figures).expect("the baseline can be written");
    }
    if has("--check") { check(&figures) } else { ExitCode::SUCCESS }
}

fn check(figures: &Figures) -> ExitCode {
    const BLESS: &str = "cargo bench -p canstop-benches --bench instructions -- --bless";
    match BASELINE.check(figures) {
        Ok(better) if better.is_empty() => println!("equal to {BASELINE}"),
        Ok(better) => println!("better than {BASELINE}; to keep that, run {BLESS}\n{}", better.join("\n")),
        Err(faults) => {
            eprintln!("worse than {BASELINE}; if that is intended, run {BLESS}\n{faults}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Every way, or only the floor and canstop's own ways.
fn ways(only_own: bool) -> (Table, Figures) {
    let mut table = Table::new([""].into_iter().chain(Shape::ALL.map(Shape::name)).chain(["knows"]));
    let mut figures = Figures::new();
    let mut floor = Vec::new();
    for way in ways::all().into_iter().filter(|way| way.is_own || !only_own) {
        let each = totals(counts_each(&["way", way.name]));
        let cells = if floor.is_empty() {
            floor = each;
            floor.iter().map(|count| format!("{count:.0}")).collect()
        } else {
            let ratios: Vec<_> = each.iter().zip(&floor).map(|(count, floor)| count / floor).collect();
            let names = Shape::ALL.map(|shape| format!("{}, {}", way.name, shape.name()));
            figures.extend(names.into_iter().zip(ratios.clone()));
            show(&ratios)
        };
        table.row([way.name.to_owned()].into_iter().chain(cells).chain([way.knows.to_owned()]));
    }
    (table, figures)
}

fn show(ratios: &[f64]) -> Vec<String> {
    ratios.iter().map(|ratio| format!("{ratio:.3}")).collect()
}

/// A wait for a future or the stop, whichever is first, compared with the wait alone. None of them allocates, so
/// one start of the heap is enough.
fn races() -> (Table, Figures) {
    let mut table = Table::new([""].into_iter().chain(WAITS.map(|(name, _)| name)));
    let mut figures = Figures::new();
    let mut floor = Vec::new();
    for race in Race::ALL {
        let each = totals(counts_from(APART, &["race", race.name()]));
        if race.is_floor() {
            table.row([race.name().to_owned()].into_iter().chain(each.iter().map(|count| format!("{count:.0}"))));
            floor = each;
            continue;
        }
        let ratios: Vec<_> = each.iter().zip(&floor).map(|(count, floor)| count / floor).collect();
        table.row([race.name().to_owned()].into_iter().chain(show(&ratios)));
        if race == Race::UntilStopping {
            let names = WAITS.map(|(name, _)| format!("{}, {name}", race.name()));
            figures.extend(names.into_iter().zip(ratios));
        }
    }
    (table, figures)
}

fn totals(counts: Vec<BTreeMap<String, f64>>) -> Vec<f64> {
    counts.into_iter().map(|count| count.values().sum()).collect()
}

/// The instructions of each shape by source file, in the order of execution: the mean over all starts of the heap.
fn counts_each(part: &[&str]) -> Vec<BTreeMap<String, f64>> {
    let mut means: Vec<BTreeMap<String, f64>> = Vec::new();
    for counts in counts_by_start(part) {
        means.resize_with(counts.len(), BTreeMap::new);
        for (mean, counts) in means.iter_mut().zip(counts) {
            for (file, count) in counts {
                *mean.entry(file).or_default() += count / STARTS as f64;
            }
        }
    }
    means
}

/// The counts from each start of the heap, as many at a time as there are cores.
fn counts_by_start(part: &[&str]) -> Vec<Vec<BTreeMap<String, f64>>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let starts: Vec<_> = (1..=STARTS).map(|number| number * APART).collect();
    let mut counts = Vec::new();
    for starts in starts.chunks(cores) {
        thread::scope(|scope| {
            let counting: Vec<_> = starts.iter().map(|&start| scope.spawn(move || counts_from(start, part))).collect();
            counts.extend(counting.into_iter().map(|one| one.join().expect("the part has been counted")));
        });
    }
    counts
}

/// The counts behind so many bytes of the heap that are never given back.
fn counts_from(start: usize, part: &[&str]) -> Vec<BTreeMap<String, f64>> {
    let each = |counts: &[Count]| {
        let [_warm_up, few, many] = counts else { panic!("a count is missing: {counts:?}") };
        let of_few = |file| few.get(file).copied().unwrap_or_default() as f64;
        many.iter()
            .map(|(file, &of_many)| (file.clone(), (of_many as f64 - of_few(file)) / (MANY - FEW) as f64))
            .collect()
    };
    callgrind::count(&[&[start.to_string().as_str()], part].concat()).chunks(3).map(each).collect()
}

/// The instructions of a session, and of `tokio::spawn`, by canstop's source files and other crates.
fn by_file() -> Table {
    // The first of these ways is the floor, the second one a plain session.
    let [floor, session] = [0, 1].map(|way| counts_each(&["way", ways::all()[way].name]));
    let origins: BTreeSet<_> = session.iter().flatten().map(|(file, _)| origin(file)).collect();
    let mut table = Table::new(["", "empty", "more than the floor", "one yield", "more than the floor"]);
    for known in origins {
        let of_known = |counts: &BTreeMap<String, f64>| {
            counts.iter().filter(|(file, _)| origin(file) == known).map(|(_, count)| count).sum::<f64>()
        };
        let pairs: Vec<_> = session.iter().map(of_known).zip(floor.iter().map(of_known)).collect();
        // Work done only a few times in all is not part of a session.
        if pairs.iter().any(|(session, _)| *session >= 0.5) {
            let cells = pairs
                .iter()
                .flat_map(|&(session, floor)| [session, session - floor].map(|count| format!("{count:.0}")));
            table.row([known.to_owned()].into_iter().chain(cells));
        }
    }
    table
}

/// The file, if it is one of canstop's; otherwise its library, as far as the path shows it.
fn origin(file: &str) -> &str {
    if let Some((_, within)) = file.split_once("canstop/src/") {
        return within;
    }
    if file.contains("library/") {
        return "std";
    }
    file.rsplit_once("/src/").and_then(|(before, _)| before.rsplit('/').next()).unwrap_or("libc")
}

/// Runs the counted code, in the process under valgrind.
fn measure(part: &[String]) {
    let [start, kind, name] = part else { panic!("not a start of the heap, a kind and a name: {part:?}") };
    black_box(Vec::<u8>::with_capacity(start.parse().expect("a number of bytes"))).leak();
    supervised::run(Flavor::CurrentThread, async {
        match kind.as_str() {
            "way" => {
                for shape in Shape::ALL {
                    few_and_many(async |each| {
                        Load { shape, spawners: 1, each }.run(name).await;
                    })
                    .await;
                }
            }
            "race" => {
                let race = Race::ALL.into_iter().find(|race| race.name() == name).expect("a race of this name");
                for (_, turns) in WAITS {
                    few_and_many(async |times| race.run(times, turns).await).await;
                }
            }
            _ => panic!("neither a way nor a race: {kind}"),
        }
    });
}

async fn few_and_many(run: impl AsyncFn(usize)) {
    run(FEW).await;
    callgrind::mark();
    run(FEW).await;
    callgrind::mark();
    run(MANY).await;
    callgrind::mark();
}
