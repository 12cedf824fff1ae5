//! A program in which nothing runs: canstop looks at it seldom, and still sees what begins.
#![cfg(target_os = "linux")]

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use canstop_tests::{Signal, seconds_after};

use super::operated;

/// Longer than a quiet program takes to be looked at.
const SPAN: Duration = Duration::from_secs(3);

/// How often the control thread of a process has gone to sleep.
fn sleeps(pid: u32) -> u64 {
    let is_control =
        |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "canstop");
    let mut tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").filter_map(Result::ok);
    let control = tasks.find(is_control).expect("it has a control thread");
    let status = fs::read_to_string(control.path().join("status")).expect("it runs");
    let line =
        status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("Linux counts them");
    line.trim().parse().expect("a number")
}

#[test]
fn a_quiet_program_is_looked_at_about_once_a_second() {
    let (mut probe, ..) = operated::start("routes", &[]);
    // What the start and its probes have left over.
    thread::sleep(Duration::from_secs(1));
    let before = sleeps(probe.id());
    thread::sleep(SPAN);
    let slept = sleeps(probe.id()) - before;
    // Ten looks a second, each in two sleeps, would be 60.
    assert!(slept <= 30, "{slept} times in {SPAN:?}");
    probe.signal(Signal::Terminate);
    probe.finish().exited(0);
}

#[test]
fn what_blocks_after_a_quiet_time_has_its_true_age() {
    let (mut probe, ..) = operated::start("routes", &[("CANSTOP_BLOCKED", "300ms")]);
    // Until it is quiet.
    thread::sleep(SPAN);
    let began = Instant::now();
    probe.say("block");
    for _ in 0..2 {
        probe.wait_for_line("blocked");
    }
    probe.signal(Signal::Terminate);
    let finished = probe.finish();
    let passed = began.elapsed().as_secs_f64();
    let row = finished.exited(124).logged(&["2 x session `stuck` at", "of service `blocks`", "blocking a thread"]);
    let age = seconds_after(", oldest", row);
    assert!(age <= passed + 0.1, "it is {age} s old after {passed} s\n{finished}");
}
