//! What a program costs that does nothing: processor time, threads and memory, with nothing watched, with everything
//! watched, and without canstop.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use canstop::{App, Flavor, Lifecycle, Service};
use canstop_benches::arguments::{Arguments, read};
use canstop_benches::child;
use canstop_benches::table::Table;

const READY: &str = "READY";
/// Until lazy set-up is over.
const SETTLE: Duration = Duration::from_secs(3);
const MEASURE: Duration = Duration::from_secs(60);
const MEASURE_QUICKLY: Duration = Duration::from_secs(10);

/// The programs: tokio alone, canstop with nothing watched, and with everything watched.
const WAYS: [(&str, &str); 3] =
    [("tokio", "tokio alone"), ("unwatched", "canstop, nothing watched"), ("watched", "canstop, all of it")];

fn main() {
    match read(&["--quick"]) {
        Arguments::Part(part) => run(&part[0]),
        Arguments::Options(options) => measure(if options.is_empty() { MEASURE } else { MEASURE_QUICKLY }),
    }
}

fn run(way: &str) {
    if way == "tokio" {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("there are threads").block_on(async {
            println!("{READY}");
            std::future::pending::<()>().await;
        });
    }
    let app = App::new().flavor(Flavor::MultiThread).worker_threads(2);
    let app = match way {
        "watched" => app.health("127.0.0.1:0").status(true).metrics(true),
        _ => app.blocked(Duration::MAX),
    };
    let idles = Service::new("idles", |lifecycle: Lifecycle| async move {
        let _listener = canstop::listen("public", "127.0.0.1:0").await;
        println!("{READY}");
        lifecycle.stopping().await;
    });
    let _ = app.service(idles).run(async {});
}

/// Nanoseconds of processor time, by all threads.
fn processor_time(pid: u32) -> u64 {
    let of = |task: fs::DirEntry| {
        let statistics = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        statistics.split(' ').next().and_then(|spent| spent.parse::<u64>().ok()).unwrap_or(0)
    };
    tasks(pid).map(of).sum()
}

fn tasks(pid: u32) -> impl Iterator<Item = fs::DirEntry> {
    fs::read_dir(format!("/proc/{pid}/task")).expect("it runs, on Linux").filter_map(Result::ok)
}

/// KiB that only this process has, of memory that is no file's.
fn anonymous_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs, on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn measure(span: Duration) {
    let mut programs: Vec<Child> = WAYS.iter().map(|(way, _)| child::start(&[way])).collect();
    for program in &mut programs {
        let mut line = String::new();
        BufReader::new(program.stdout.as_mut().expect("it is a pipe")).read_line(&mut line).expect("it prints");
        assert_eq!(line.trim(), READY);
    }
    thread::sleep(SETTLE);
    let began = Instant::now();
    let before: Vec<_> = programs.iter().map(|program| processor_time(program.id())).collect();
    thread::sleep(span);
    let mut table = Table::new(["", "of a core", "threads", "anonymous memory"]);
    for ((program, before), (_, name)) in programs.iter().zip(before).zip(WAYS) {
        let spent = Duration::from_nanos(processor_time(program.id()) - before);
        let share = spent.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
        let (threads, memory) = (tasks(program.id()).count(), anonymous_memory(program.id()));
        table.row([name.to_owned(), format!("{share:.3} %"), threads.to_string(), format!("{memory} KiB")]);
    }
    for mut program in programs {
        program.kill().and_then(|()| program.wait()).expect("it runs until now");
    }
    print!("{table}");
}
