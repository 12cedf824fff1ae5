//! The promises of the job queue.

use canstop_examples::program::{Ended, Program, Running, Signal};

use crate::support::{Server, TestDatabase};

#[test]
fn two_processes_share_the_jobs_of_sqlite_and_do_each_once() {
    share_the_jobs_and_do_each_once(&TestDatabase::sqlite());
}

#[test]
fn two_processes_share_the_jobs_of_postgresql_and_do_each_once() {
    if let Some(server) = Server::start() {
        share_the_jobs_and_do_each_once(&server.place());
    }
}

fn share_the_jobs_and_do_each_once(place: &TestDatabase) {
    let mut programs = [(); 2].map(|()| run(place, &["--check-time", "5ms"]));
    for program in &mut programs {
        program.wait_for("running jobs");
    }
    enqueue(place, 300);
    // Both processes do some of them.
    for program in &mut programs {
        program.wait_for(": done");
    }
    let ended = run(place, &["--drain", "--check-time", "5ms"]).wait();
    assert!(ended.stderr.contains("every job is done"), "{ended}");
    for program in programs {
        program.signal(Signal::Terminate);
        let ended = program.wait();
        assert_eq!(ended.code, Some(0), "{ended}");
    }
    assert_eq!(stats(place), "0 queued, 0 running, 300 done");
    assert_each_is_booked_once(place, 300);
}

#[test]
fn a_stop_finishes_the_job_in_progress_and_starts_no_other() {
    let place = TestDatabase::sqlite();
    enqueue(&place, 100);
    let mut program = run(&place, &["--workers", "3", "--check-time", "2s"]);
    for _ in 0..3 {
        program.wait_for(": begun");
    }
    program.signal(Signal::Terminate);
    let ended = program.wait();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(stats(&place), "97 queued, 0 running, 3 done");
    assert_each_is_booked_once(&place, 3);
}

#[test]
fn a_progress_bar_appears_only_on_a_terminal() {
    let place = TestDatabase::sqlite();
    let arguments = ["run", "--drain", "--check-time", "1ms"];
    enqueue(&place, 100);
    let ended = command(&place, &arguments).start().wait();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(!ended.stderr.contains(" to go"), "{ended}");

    let Some(on_a_terminal) = command(&place, &arguments).on_a_terminal() else {
        println!("skipped: `script`, which makes a terminal, is not installed");
        return;
    };
    enqueue(&place, 100);
    let ended = on_a_terminal.start().wait();
    assert_eq!(ended.code, Some(0), "{ended}");
    let words = ended.stdout.split_whitespace();
    let shown: Vec<_> = words.filter(|word| word.ends_with("/200")).collect();
    assert!(shown.len() > 1 && shown.contains(&"200/200"), "{shown:?}: {ended}");
}

#[test]
fn the_next_process_does_an_abandoned_job_once_in_sqlite() {
    is_done_once_by_the_next_process(&TestDatabase::sqlite());
}

#[test]
fn the_next_process_does_an_abandoned_job_once_in_postgresql() {
    if let Some(server) = Server::start() {
        is_done_once_by_the_next_process(&server.place());
    }
}

fn is_done_once_by_the_next_process(place: &TestDatabase) {
    enqueue(place, 3);
    // The lease is longer than this test: only a job that was returned is free again.
    let mut program = run(place, &["--workers", "2", "--check-time", "10m", "--lease", "10m"]);
    program.wait_for(": begun");
    program.wait_for(": begun");
    program.signal(Signal::Terminate);
    let ended = program.wait();
    assert!(ended.stderr.contains("abandoned: session `job` at examples/examples/jobs/worker.rs"), "{ended}");
    assert!(ended.stderr.contains("2 jobs returned to the queue"), "{ended}");
    assert_eq!(ended.code, Some(124), "{ended}");
    assert_eq!(stats(place), "3 queued, 0 running, 0 done");

    let ended = run(place, &["--drain", "--check-time", "1ms"]).wait();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_each_is_booked_once(place, 3);
}

#[test]
fn a_killed_process_s_job_is_done_once_its_lease_expires() {
    let place = TestDatabase::sqlite();
    enqueue(&place, 3);
    let mut program = run(&place, &["--workers", "2", "--check-time", "10m", "--lease", "300ms"]);
    program.wait_for(": begun");
    program.wait_for(": begun");
    program.signal(Signal::Kill);
    assert_eq!(program.wait().code, None);
    assert_eq!(stats(&place), "1 queued, 2 running, 0 done");

    let ended = run(&place, &["--drain", "--check-time", "1ms"]).wait();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_each_is_booked_once(&place, 3);
}

#[test]
fn a_job_that_takes_longer_than_its_lease_keeps_it() {
    let place = TestDatabase::sqlite();
    enqueue(&place, 1);
    // Meanwhile three other workers look for jobs.
    let ended = run(&place, &["--drain", "--check-time", "5s", "--lease", "2s"]).wait();
    assert_eq!(ended.stderr.matches(": begun").count(), 1, "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_each_is_booked_once(&place, 1);
}

pub(crate) fn enqueue(place: &TestDatabase, count: u32) {
    let ended = command(place, &["enqueue", &count.to_string()]).start().wait();
    assert!(ended.has_written(&format!("{count} jobs added")), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

/// Starts `jobs run`, with a log line for each job.
pub(crate) fn run(place: &TestDatabase, arguments: &[&str]) -> Running {
    command(place, &["run"]).args(arguments).env("RUST_LOG", "info,jobs=debug").start()
}

pub(crate) fn stats(place: &TestDatabase) -> String {
    let Ended { stdout, .. } = command(place, &["stats"]).start().wait();
    stdout.trim_end().to_owned()
}

#[track_caller]
pub(crate) fn assert_each_is_booked_once(place: &TestDatabase, count: i64) {
    let booked: Vec<(i64, i64)> = place.rows("SELECT COUNT(*), COUNT(DISTINCT job) FROM bookings");
    assert_eq!(booked, [(count, count)]);
    let wrong: Vec<(i64,)> = place.rows(
        "SELECT jobs.id FROM jobs LEFT JOIN bookings ON bookings.job = jobs.id
         WHERE (state = 'done') <> (bookings.job IS NOT NULL) OR bookings.cents <> jobs.cents",
    );
    assert_eq!(wrong, [], "jobs done but not booked, booked but not done, or booked wrongly");
}

fn command(place: &TestDatabase, arguments: &[&str]) -> Program {
    Program::new("jobs").args(arguments).env("DATABASE_URL", &place.url)
}
