//! The last line of a log that is written in the background, and the last batch of an exporter that needs the
//! runtime.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::thread;

use canstop_tests::{Finished, Probe, READY, Signal};

/// How many runs there are. The variable makes it another number, as in `CANSTOP_EXPORT_RUNS=100`.
const RUNS: usize = 10;

struct Ended {
    finished: Finished,
    log: String,
    /// What the collector has got.
    batch: String,
}

fn run(scenario: &str, number: usize) -> Ended {
    let log = std::env::temp_dir().join(format!("canstop-log-{}-{scenario}-{number}", std::process::id()));
    let collector = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = collector.local_addr().expect("it is bound").to_string();
    let file = log.to_str().expect("the temporary directory is UTF-8");
    let mut probe = Probe::start(env!("CARGO_BIN_EXE_exporting"), &[scenario, file, &address]);
    probe.wait_for_line(READY);
    let collect = thread::spawn(move || {
        let mut batch = String::new();
        // Ends at the first batch, or when the test asks for nothing more.
        let (mut stream, _) = collector.accept().expect("it listens");
        stream.read_to_string(&mut batch).expect("a batch is text");
        batch
    });
    probe.signal(Signal::Terminate);
    let finished = probe.finish();
    // If the program has sent no batch, this connection is an empty one.
    drop(std::net::TcpStream::connect(address));
    let batch = collect.join().expect("the collector does not panic");
    let ended = Ended { finished, log: fs::read_to_string(&log).expect("it has a log"), batch };
    fs::remove_file(log).expect("it is there");
    ended
}

#[test]
fn the_last_line_and_the_last_batch_are_never_lost() {
    let runs = std::env::var("CANSTOP_EXPORT_RUNS").ok().map_or(RUNS, |runs| runs.parse().expect("a number of runs"));
    for number in 0..runs {
        let Ended { finished, log, batch } = run("keeps", number);
        finished.exited(0);
        let last = log.lines().last().unwrap_or_default();
        assert!(last.contains("stopped (SIGTERM) in ") && last.contains("exit code 0"), "run {number}: {log}");
        assert_eq!(log.lines().filter(|line| line.contains(" ends")).count(), 20, "run {number}: {log}");
        let mut events: Vec<_> = batch.lines().collect();
        events.sort_unstable();
        let mut expected: Vec<_> = (0..20).map(|number| format!("session {number}")).collect();
        expected.push("the service stops".to_owned());
        expected.sort_unstable();
        assert_eq!(events, expected, "run {number}");
    }
    println!("{runs} of {runs} runs");
}

#[test]
fn without_keep_and_flush_they_are_lost() {
    let Ended { finished, log, batch } = run("forgets", 0);
    finished.exited(0);
    assert_eq!(batch, "");
    assert!(!log.lines().last().unwrap_or_default().contains("stopped (SIGTERM)"), "{log}");
}
