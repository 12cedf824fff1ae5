//! The control plane under what a program or its parent does to it.

use std::thread::sleep;
use std::time::Duration;

use canstop_tests::{Finished, Probe, READY, Signal, Stopwatch};

use crate::signals::{AT_ONCE, twice};
use crate::{DEADLINE, PROMPTLY, terminate};

/// Starts a probe by a program that changes what a child inherits, and then becomes it.
fn start_by(launcher: &[&str], scenario: &str) -> Probe {
    let (program, options) = launcher.split_first().expect("a launcher");
    let arguments: Vec<_> = options.iter().copied().chain([env!("CARGO_BIN_EXE_control"), scenario]).collect();
    Probe::start(program, &arguments)
}

fn number_after(words: &str, finished: &Finished) -> u64 {
    let number = finished.printed_after(words).next().unwrap_or_else(|| panic!("no {words:?}\n{finished}"));
    number.trim().parse().expect("a number")
}

#[test]
fn a_grace_without_end_overflows_nothing() {
    let finished = terminate(start!("control", "grace-without-end"));
    finished.exited(0).within(PROMPTLY);
    finished.logged(&["stopping (SIGTERM), without a limit (code)"]);
}

#[test]
fn sighup_stops_like_sigterm() {
    let mut probe = start!("control", "serve");
    probe.wait_for_line(READY);
    probe.signal(Signal::Hangup);
    let finished = probe.finish();
    finished.exited(0).within(PROMPTLY);
    finished.ended_with(&["(SIGHUP)", "exit code 0"]);
}

#[test]
fn without_a_grace_what_returns_at_once_is_not_abandoned() {
    let finished = terminate(start!("control", "no-grace"));
    finished.exited(0).within(PROMPTLY).ended_with(&["1 sessions drained, 0 abandoned, exit code 0"]);
    let finished = terminate(start!("control", "no-grace-and-deaf"));
    finished.exited(124).within(Duration::from_millis(250)).logged(&["abandoned: ", "service `deaf`"]);
    finished.ended_with(&["1 abandoned, exit code 124"]);
}

#[test]
fn a_stop_signal_that_the_parent_blocked_is_heard() {
    let finished = terminate(start_by(&["env", "--block-signal"], "serve"));
    finished.exited(0).within(PROMPTLY);
}

#[test]
fn signals_that_the_parent_ignored_stay_ignored() {
    let mut probe = start_by(&["env", "--ignore-signal=INT,HUP"], "serve");
    probe.wait_for_line(READY);
    probe.signal(Signal::Interrupt);
    probe.signal(Signal::Hangup);
    sleep(Duration::from_millis(150));
    probe.signal(Signal::Terminate);
    let finished = probe.finish();
    finished.exited(0);
    finished.ended_with(&["(SIGTERM)", "exit code 0"]);
}

#[test]
fn an_ignored_sigterm_is_handled_all_the_same() {
    let finished = terminate(start_by(&["env", "--ignore-signal=TERM"], "serve"));
    finished.exited(0).within(PROMPTLY);
}

#[test]
fn a_program_without_descriptors_0_to_2_stops() {
    let closes = "exec 3>&1; exec \"$0\" \"$1\" <&- >&- 2>&- & sleep 0.3; kill -TERM $!; wait $!; echo \"code $?\"";
    let finished = start_by(&["sh", "-c", closes], "serve").finish();
    finished.printed("code 0");
}

#[test]
fn a_program_that_gets_no_descriptor_cannot_start() {
    let finished = start_by(&["prlimit", "--nofile=5"], "serve").finish();
    finished.exited(1);
    finished.logged(&["canstop: cannot start: "]);
    assert_eq!(finished.times_logged("panicked"), 0, "{finished}");
}

/// The limit counts the threads of a user, and does not hold for root: so it is another user, in a directory
/// that everybody may enter.
#[test]
fn a_program_that_gets_no_thread_cannot_start() {
    let folder = std::env::temp_dir().join(format!("canstop-threads-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder of its own");
    let probe = folder.join("control");
    std::fs::copy(env!("CARGO_BIN_EXE_control"), &probe).expect("a copy");
    let is_root = rustix::process::getuid().is_root();
    for threads in ["1", "2", "3", "4", "5"] {
        let limit = format!("--nproc={threads}");
        let user =
            ["setpriv", "--reuid=64123", "--regid=64123", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"];
        let launcher: Vec<_> = user.into_iter().take(if is_root { 6 } else { 0 }).chain(["prlimit", &limit]).collect();
        let arguments: Vec<_> =
            launcher[1..].iter().copied().chain([probe.to_str().expect("a path"), "serve"]).collect();
        let finished = Probe::start(launcher[0], &arguments).finish();
        finished.exited(1);
        finished.logged(&["canstop: cannot start: "]);
        assert_eq!(finished.times_logged("panicked"), 0, "{finished}");
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn code_after_run_is_held_to_the_deadline() {
    let finished = terminate(start!("control", "code-after-run"));
    finished.exited(124).within(DEADLINE + Duration::from_millis(50));
    finished.printed("after");
    finished.logged(&["something still runs after the last line", "exit code 124"]);
}

#[test]
fn a_signal_ends_code_after_run_at_once() {
    let mut probe = start!("control", "code-after-run");
    probe.wait_for_line(READY);
    probe.signal(Signal::Terminate);
    probe.wait_for_line("after");
    sleep(Duration::from_millis(150));
    probe.signal(Signal::Interrupt);
    let finished = probe.finish();
    finished.exited(130).within(PROMPTLY);
}

#[test]
fn a_thread_local_destructor_is_held_to_the_deadline() {
    let finished = terminate(start!("control", "thread-local"));
    finished.exited(124).within(DEADLINE + Duration::from_millis(50));
}

#[test]
fn a_waker_that_panics_leaves_a_program_that_stops() {
    let finished = terminate(start!("control", "waker-panics"));
    finished.within(DEADLINE + Duration::from_millis(50));
    assert!(finished.code.is_some(), "{finished}");
}

#[test]
fn a_waker_that_blocks_leaves_a_program_that_stops() {
    let finished = terminate(start!("control", "waker-blocks"));
    finished.within(DEADLINE + Duration::from_millis(50));
    assert!(finished.code.is_some(), "{finished}");
}

#[test]
fn a_second_signal_acts_though_a_waker_blocks() {
    let mut probe = start!("control", "waker-blocks");
    probe.wait_for_line(READY);
    let finished = twice(probe, [Signal::Terminate, Signal::Terminate]);
    finished.within(AT_ONCE + Duration::from_millis(250));
}

#[test]
fn three_million_calls_of_ready_cost_neither_memory_nor_time() {
    let finished = terminate(start!("control", "ready-flood"));
    finished.exited(0).within(PROMPTLY);
    assert!(number_after("peak ", &finished) < 40_000, "{finished}");
}

#[test]
fn a_million_calls_of_shutdown_cost_no_memory() {
    let finished = terminate(start!("control", "shutdown-flood"));
    finished.exited(0).within(DEADLINE);
    assert!(number_after("peak ", &finished) < 40_000, "{finished}");
}

#[test]
fn a_stream_of_failing_sessions_does_not_keep_the_deadline_out() {
    let finished = terminate(start!("control", "failing-sessions"));
    finished.exited(124).within(Duration::from_millis(600));
}

#[test]
fn a_cancelled_run_that_drops_slowly_is_waited_for() {
    let finished = terminate(start!("control", "run-is-slow"));
    finished.exited(0).within(DEADLINE);
    finished.printed("dropped");
}

#[test]
fn a_main_that_panics_when_dropped_has_failed() {
    let finished = terminate(start!("control", "main-panics-when-dropped"));
    finished.exited(1).within(PROMPTLY);
    finished.logged(&["main failed: ", "the guard of main"]);
}

#[test]
fn a_service_whose_state_does_not_drop_is_named() {
    let finished = terminate(start!("control", "state-blocks"));
    finished.exited(124).within(DEADLINE);
    finished.logged(&["abandoned: service `keeper`", "blocking a thread"]);
}

#[test]
fn a_state_that_panics_when_dropped_is_its_services_failure() {
    let finished = terminate(start!("control", "state-panics"));
    finished.exited(1).within(PROMPTLY);
    finished.logged(&["`keeper`", "the state"]);
}

#[test]
fn a_state_that_drops_slowly_is_waited_for() {
    let finished = terminate(start!("control", "state-is-slow"));
    finished.exited(0).within(DEADLINE);
    finished.printed("dropped");
}

#[test]
fn a_program_that_was_frozen_gets_its_time_back() {
    let mut probe = start!("control", "frozen");
    probe.wait_for_line(READY);
    probe.signal(Signal::Terminate);
    sleep(Duration::from_millis(100));
    probe.signal(Signal::Stop);
    sleep(Duration::from_secs(3));
    probe.signal(Signal::Continue);
    let finished = probe.finish();
    finished.exited(0);
    finished.printed("the session is done");
}

#[test]
fn runs_in_a_row_leave_no_descriptor_and_no_thread() {
    let finished = start!("control", "again-and-again").finish();
    finished.exited(0);
    finished.printed("threads are flat: true").printed("descriptors are flat: true");
}

#[test]
fn a_services_error_that_drops_slowly_is_waited_for() {
    let finished = terminate(start!("control", "error-drops-slowly"));
    finished.exited(1).within(DEADLINE);
    finished.printed("dropped");
    finished.logged(&["service `troubled` failed: trouble"]);
}

#[test]
fn a_services_error_that_panics_when_dropped_is_its_failure() {
    for scenario in ["error-panics", "blocking-error-panics"] {
        let finished = terminate(start!("control", scenario));
        finished.exited(1).within(PROMPTLY);
        finished.logged(&["service `troubled` panicked: the error's destructor"]);
    }
}

#[test]
fn a_blocking_services_state_that_drops_slowly_is_waited_for() {
    let finished = terminate(start!("control", "blocking-state-is-slow"));
    finished.exited(0).within(DEADLINE);
    finished.printed("dropped");
}

#[test]
fn a_blocking_services_state_that_does_not_drop_is_named() {
    let finished = terminate(start!("control", "blocking-state-blocks"));
    finished.exited(124).within(DEADLINE);
    finished.logged(&["abandoned: service `keeper`", "blocking a thread"]);
}

#[test]
fn an_error_of_main_that_drops_slowly_is_waited_for() {
    let finished = start!("control", "error-of-main-drops-slowly").finish();
    finished.exited(1);
    finished.printed("dropped");
    finished.ended_with(&["1 sessions drained, 0 abandoned, exit code 1"]);
}

#[test]
fn an_interrupted_job_exits_by_its_signal() {
    for (signal, code) in [(Signal::Hangup, 129), (Signal::Interrupt, 130), (Signal::Terminate, 143)] {
        let mut probe = start!("control", "job");
        probe.wait_for_line(READY);
        probe.signal(signal);
        probe.finish().exited(code).within(PROMPTLY);
    }
}

#[test]
fn a_second_signal_ends_the_drain_delay_and_nothing_else() {
    let mut probe = start!("control", "drains");
    probe.wait_for_line(READY);
    let finished = twice(probe, [Signal::Terminate, Signal::Terminate]);
    finished.exited(0).within(PROMPTLY + Duration::from_millis(200));
    finished.ended_with(&["(SIGTERM)", "0 abandoned, exit code 0"]);
}

#[test]
fn a_third_signal_after_a_drain_delay_forces_the_exit() {
    let mut probe = start!("control", "drains-and-hangs");
    probe.wait_for_line(READY);
    for _ in 0..2 {
        probe.signal(Signal::Terminate);
        sleep(Duration::from_millis(200));
    }
    probe.signal(Signal::Interrupt);
    let finished = probe.finish();
    finished.exited(130).within(AT_ONCE + Duration::from_millis(200));
    finished.logged(&["abandoned: service `deaf`"]);
}

/// By a terminal of its own, which turns the key into a signal.
#[test]
fn ctrl_c_in_a_terminal_skips_the_drain_delay() {
    // The shell becomes the program: a shell that waited would get the signal as well, and exit by it.
    let command = format!("exec {} drains", env!("CARGO_BIN_EXE_control"));
    let mut probe = Probe::start("script", &["--quiet", "--return", "--flush", "--command", &command, "/dev/null"]);
    probe.wait_for_start(READY);
    let pressed = Stopwatch::start();
    probe.say("\u{3}");
    let finished = probe.finish();
    let took = pressed.took();
    finished.exited(0);
    assert!(took.at_most(DEADLINE), "{took:?}\n{finished}");
    assert!(finished.stdout.iter().any(|line| line.contains("stopping (SIGINT)")), "{finished}");
}

#[test]
fn an_exit_handler_that_hangs_is_held_to_the_deadline() {
    let finished = terminate(start!("control", "exit-handler-hangs"));
    finished.exited(124).within(DEADLINE + Duration::from_millis(50));
    finished.logged(&["something still runs after the last line", "exit code 124"]);
}

#[test]
fn a_thousand_services_that_do_not_stop_keep_the_deadline() {
    let finished = terminate(start!("control", "many"));
    finished.exited(124).within(DEADLINE + Duration::from_millis(50));
    finished.ended_with(&["1000 abandoned, exit code 124"]);
}

#[test]
fn a_fork_that_returns_from_main_ends_with_a_sentence() {
    let finished = terminate(start!("foreign", "fork-returns"));
    finished.exited(143);
    finished.printed("the fork exited with 1");
    finished.logged(&["was forked from a supervised one", "Call `exec` after `fork`"]);
}

#[test]
fn a_fork_that_calls_run_ends_with_a_sentence() {
    let finished = terminate(start!("foreign", "fork-starts"));
    finished.exited(143);
    finished.printed("the fork exited with 1");
    finished.logged(&["was forked from a supervised one"]);
}

#[test]
fn a_signal_ends_a_fork_as_if_it_had_no_handler() {
    let finished = terminate(start!("foreign", "fork-is-signalled"));
    finished.exited(143);
    finished.printed("the fork was ended by signal 15");
    finished.logged(&["was forked from a program under supervision"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_sandbox_that_forbids_membarrier_later_leaves_a_program_that_stops() {
    let finished = terminate(start!("foreign", "forbids-membarrier"));
    // It has no service: it is a job that is interrupted.
    finished.exited(143).within(PROMPTLY);
    finished.printed("refused: true");
    finished.ended_with(&["100 sessions drained, 0 abandoned, exit code 143"]);
}

#[test]
fn a_replaced_signal_handler_is_reported_once() {
    let mut probe = start!("foreign", "replaces-handler");
    probe.wait_for_line(READY);
    sleep(Duration::from_millis(2_300));
    let finished = probe.terminate();
    finished.exited(143);
    assert_eq!(finished.times_logged("the handler of SIGINT was replaced"), 1, "{finished}");
}
