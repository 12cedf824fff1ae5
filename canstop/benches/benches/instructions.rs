//! Instructions per session, counted by callgrind, as ratios to `tokio::spawn`.
//!
//! `--check` compares canstop's with the committed baseline, `--bless` writes that, `--files` says which
//! source files the instructions of a session are of, and `--quick` leaves out what is not canstop's.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::hint::black_box;
use std::process::ExitCode;
use std::task::Poll;

use canstop::{Lifecycle, spawn_session};
use canstop_benches::arguments::{Arguments, read};
use canstop_benches::baseline::{Baseline, Figures};
use canstop_benches::callgrind::{self, Count, counted_by_callgrind};
use canstop_benches::load::{BATCH, Load, Shape};
use canstop_benches::supervised;
use canstop_benches::table::Table;
use canstop_benches::ways;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

/// What is made once is made in the few, and so is no part of the difference between few and many.
const FEW: usize = 2 * BATCH;
const MANY: usize = 12 * BATCH;

const BASELINE: Baseline = Baseline::at(concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.baseline"));

fn main() -> ExitCode {
    match read(&["--quick", "--check", "--bless", "--files"]) {
        Arguments::Part(part) => measure(part),
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
        eprintln!("the compiler inlines otherwise with the peers: take `--features peers` away");
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
        Ok(better) if better.is_empty() => println!("as in {BASELINE}"),
        Ok(better) => println!("better than in {BASELINE}; to keep it so, {BLESS}\n{}", better.join("\n")),
        Err(faults) => {
            eprintln!("not as in {BASELINE}; if it is to be so, {BLESS}\n{faults}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Every way, or only the floor and canstop's own.
fn ways(only_own: bool) -> (Table, Figures) {
    let mut table = Table::new([""].into_iter().chain(Shape::ALL.map(Shape::name)).chain(["knows"]));
    let mut figures = Figures::new();
    let mut floor = Vec::new();
    for way in ways::all().into_iter().filter(|way| way.is_own || !only_own) {
        let each = instructions_each(&["way", way.name]);
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

/// A wait for something or for the stop, whichever comes first, beside the wait alone.
fn races() -> (Table, Figures) {
    let mut table = Table::new([""].into_iter().chain(WAITS.map(|(name, _)| name)));
    let mut figures = Figures::new();
    let mut floor = Vec::new();
    for race in Race::ALL {
        let each = instructions_each(&["race", race.name()]);
        if race.is_bare() {
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

/// For each pair of counts, few and many, what each of the difference took.
fn instructions_each(part: &[&str]) -> Vec<f64> {
    let counts = callgrind::count(part);
    counts.chunks_exact(2).map(|pair| (pair[1].total - pair[0].total) as f64 / (MANY - FEW) as f64).collect()
}

/// The instructions of a session, and of `tokio::spawn`, by canstop's source files and other crates.
fn by_file() -> Table {
    // The first of canstop's own is the floor, the second a plain session.
    let [floor, session] = [0, 1].map(|way| callgrind::count(&["way", ways::all()[way].name]));
    let origins: BTreeSet<_> = session.iter().flat_map(|count| count.by_file.keys()).map(|file| origin(file)).collect();
    let mut table = Table::new(["", "empty", "more than the floor", "one yield", "more than the floor"]);
    for origin in origins {
        let mut row = vec![origin.to_owned()];
        for shape in 0..Shape::ALL.len() {
            let each = |counts: &[Count]| {
                let [few, many] = [0, 1].map(|which| of_origin(&counts[2 * shape + which], origin));
                (many as f64 - few as f64) / (MANY - FEW) as f64
            };
            let (session, floor) = (each(&session), each(&floor));
            row.extend([format!("{session:.1}"), format!("{:.1}", session - floor)]);
        }
        table.row(row);
    }
    table
}

fn of_origin(count: &Count, name: &str) -> u64 {
    count.by_file.iter().filter(|(file, _)| origin(file) == name).map(|(_, cost)| cost).sum()
}

/// The file, if it is one of canstop's; else the library that it is of, as far as paths say so.
fn origin(file: &str) -> &str {
    if let Some((_, within)) = file.split_once("canstop/src/") {
        return within;
    }
    if file.contains("library/") {
        return "std";
    }
    file.rsplit_once("/src/").and_then(|(before, _)| before.rsplit('/').next()).unwrap_or("libc")
}

/// Runs what is counted, in the process that valgrind looks at.
fn measure(part: Vec<String>) {
    supervised::run_thread(move |_| {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        match part.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["way", name] => {
                for shape in Shape::ALL {
                    few_and_many(|each| runtime.block_on(Load { shape, spawners: 1, each }.run(name)));
                }
            }
            ["race", name] => {
                let race = Race::ALL.into_iter().find(|race| race.name() == name).expect("a race of this name");
                for (_, waits) in WAITS {
                    few_and_many(|times| runtime.block_on(race_many(race, times, waits)));
                }
            }
            _ => panic!("no such part: {part:?}"),
        }
    });
}

fn few_and_many<T>(run: impl Fn(usize) -> T) {
    run(FEW);
    for count in [FEW, MANY] {
        counted_by_callgrind(&mut || {
            run(count);
        });
    }
}

/// Ways to wait for something or for the stop.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Race {
    BareInTask,
    Select,
    RunUntilCancelled,
    BareInSession,
    UntilStopping,
}

const WAITS: [(&str, u32); 2] = [("one wait", 1), ("ten waits", 10)];

impl Race {
    const ALL: [Self; 5] =
        [Self::BareInTask, Self::Select, Self::RunUntilCancelled, Self::BareInSession, Self::UntilStopping];

    fn name(self) -> &'static str {
        match self {
            Self::BareInTask => "a wait in a task",
            Self::Select => "`select!` with a token",
            Self::RunUntilCancelled => "`token.run_until_cancelled`",
            Self::BareInSession => "a wait in a session",
            Self::UntilStopping => "`lifecycle.run_until_stopping`",
        }
    }

    /// Does it wait for nothing else? Those after it are compared with it.
    fn is_bare(self) -> bool {
        matches!(self, Self::BareInTask | Self::BareInSession)
    }
}

/// Races so many times in one task.
async fn race_many(race: Race, times: usize, waits: u32) {
    let task = match race {
        Race::BareInTask => tokio::spawn(async move {
            for _ in 0..times {
                wait(waits).await;
            }
        }),
        Race::Select => tokio::spawn(async move {
            let token = black_box(CancellationToken::new());
            for _ in 0..times {
                tokio::select! {
                    () = wait(waits) => {}
                    () = token.cancelled() => {}
                }
            }
        }),
        Race::RunUntilCancelled => tokio::spawn(async move {
            let token = black_box(CancellationToken::new());
            for _ in 0..times {
                token.run_until_cancelled(wait(waits)).await;
            }
        }),
        Race::BareInSession => spawn_session!(async move {
            for _ in 0..times {
                wait(waits).await;
            }
        }),
        Race::UntilStopping => spawn_session!(async move {
            let lifecycle = Lifecycle::current();
            for _ in 0..times {
                lifecycle.run_until_stopping(wait(waits)).await;
            }
        }),
    };
    task.await.expect("a race does not panic");
}

/// Waits so many times, each time for the task's next turn.
fn wait(mut times: u32) -> impl Future<Output = ()> {
    poll_fn(move |cx| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}
