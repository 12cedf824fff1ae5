//! Settings from the environment, code and the platform, in real processes.

use std::time::Duration;

use canstop_tests::{Audience, Finished, Probe};

use crate::{PROMPTLY, terminate};

fn start<const ARGUMENTS: usize>(code: [&str; ARGUMENTS], variables: &[(&str, &str)]) -> Probe {
    Probe::start_in(Audience::Listens, env!("CARGO_BIN_EXE_settings"), &code, variables)
}

/// Runs a program that cannot start.
fn fails_to_start(code: [&str; 2], variables: &[(&str, &str)]) -> Finished {
    let finished = start(code, variables).finish();
    finished.exited(1);
    assert_eq!(finished.stderr.len(), 1, "one line says why\n{finished}");
    finished
}

#[test]
fn the_stopping_line_names_each_time_and_its_source() {
    for (code, variables, line) in [
        (["-", "-"], &[][..], "stopping (SIGTERM), within 5 s (default)"),
        (["1500", "-"], &[], "stopping (SIGTERM), within 1.5 s (code)"),
        (["1500", "-"], &[("CANSTOP_GRACE", "2s")], "stopping (SIGTERM), within 2 s (CANSTOP_GRACE)"),
        (["-", "-"], &[("FLY_APP_NAME", "shop")], "stopping (SIGTERM), within 4.5 s (Fly)"),
        (
            ["-", "10"],
            &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")],
            "stopping (SIGTERM), within 25 s (Kubernetes), drain delay 10 ms (code)",
        ),
        (
            ["-", "10"],
            &[("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("CANSTOP_DRAIN_DELAY", "0.02s")],
            "stopping (SIGTERM), within 25 s (Kubernetes), drain delay 20 ms (CANSTOP_DRAIN_DELAY)",
        ),
        (
            ["100", "-"],
            &[("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4")],
            "stopping (SIGTERM), within 100 ms (code), drain delay 20 ms (ECS)",
        ),
        (["-", "-"], &[("NOMAD_ALLOC_ID", "x"), ("CANSTOP_PLATFORM", "none")], "within 5 s (default)"),
    ] {
        let finished = terminate(start(code, variables));
        finished.exited(0).within(PROMPTLY);
        let said = finished.logged(&["stopping (SIGTERM)"]);
        assert!(said.ends_with(line), "{said:?} does not end with {line:?}");
    }
}

#[test]
fn main_sets_the_grace_unless_the_environment_does() {
    for (code, variables, line) in [
        (["-", "-", "700"], &[][..], "stopping (SIGTERM), within 700 ms (code)"),
        (["1500", "-", "700"], &[], "stopping (SIGTERM), within 700 ms (code)"),
        (["1500", "-", "700"], &[("CANSTOP_GRACE", "2s")], "stopping (SIGTERM), within 2 s (CANSTOP_GRACE)"),
        (
            ["-", "-", "100"],
            &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")],
            "stopping (SIGTERM), within 100 ms (code), drain delay 20 ms (Kubernetes)",
        ),
    ] {
        let finished = terminate(start(code, variables));
        finished.exited(0).within(PROMPTLY);
        let said = finished.logged(&["stopping (SIGTERM)"]);
        assert!(said.ends_with(line), "{said:?} does not end with {line:?}");
    }
}

#[test]
fn a_grace_that_is_too_short_for_the_platforms_drain_delay_is_named() {
    const SHORTENED: &str = "the drain delay is";
    let on_kubernetes = [("KUBERNETES_SERVICE_HOST", "10.0.0.1")];
    let finished = terminate(start(["100", "-"], &on_kubernetes));
    finished.exited(0).logged(&[
        SHORTENED,
        "20 ms, where Kubernetes needs 5 s, because the grace is 100 ms (code)",
        "set `CANSTOP_GRACE=25s`, or `CANSTOP_DRAIN_DELAY`",
    ]);
    let finished = terminate(start(["100", "10"], &on_kubernetes));
    assert_eq!(finished.exited(0).times_logged(SHORTENED), 0, "{finished}");
}

#[test]
fn a_drain_delay_from_the_environment_is_kept() {
    let variables = [("CANSTOP_GRACE", "2s"), ("CANSTOP_DRAIN_DELAY", "400ms")];
    let finished = terminate(start(["-", "-"], &variables));
    finished.exited(0).within(Duration::from_millis(400) + PROMPTLY);
    assert!(finished.after_signal() >= Duration::from_millis(400), "{finished}");
}

#[test]
fn a_bad_value_fails_the_start() {
    let finished = fails_to_start(["-", "-"], &[("CANSTOP_GRACE", "five")]);
    let why = "canstop: cannot start: CANSTOP_GRACE is \"five\": it does not begin with a number";
    finished.logged(&[why]);
    finished.never_printed(canstop_tests::READY);
    fails_to_start(["-", "-"], &[("CANSTOP_PLATFORM", "k8s")]).logged(&["CANSTOP_PLATFORM is \"k8s\": write one of"]);
}

#[test]
fn a_drain_delay_that_fills_the_grace_names_both_sources() {
    let finished = fails_to_start(["2000", "-"], &[("CANSTOP_DRAIN_DELAY", "2s")]);
    finished.logged(&["drain delay of 2 s (CANSTOP_DRAIN_DELAY)", "grace of 2 s (code)"]);
}

#[test]
fn the_log_level_of_stderr_comes_from_the_environment() {
    let silent = terminate(start(["-", "-"], &[("CANSTOP_LOG", "off")]));
    silent.exited(0);
    assert!(silent.stderr.is_empty(), "{silent}");
    let debug = terminate(start(["-", "-"], &[("CANSTOP_LOG", "debug")]));
    debug.exited(0).logged(&["service `serves` started"]);
}
