//! Services with a runtime of their own.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use canstop_tests::Finished;

use crate::terminate;

/// The probe's grace, and a quarter of a second.
const DEADLINE: Duration = Duration::from_millis(2_250);
const ALL: u64 = 21_800;

/// Stops a program whose every worker is blocked, and returns how many bytes its writer has kept.
fn kept_by(writer: &str) -> (Finished, u64) {
    let path: PathBuf = std::env::temp_dir().join(format!("canstop-own-runtime-{writer}-{}", std::process::id()));
    let finished = terminate(start!("own_runtime", writer, path.to_str().expect("a path in UTF-8")));
    let kept = fs::metadata(&path).map_or(0, |file| file.len());
    let _ = fs::remove_file(path);
    (finished, kept)
}

#[test]
fn a_writer_with_its_own_runtime_keeps_every_byte() {
    let (finished, kept) = kept_by("own");
    finished.exited(124).within(DEADLINE).printed("the state is dropped on writer");
    assert_eq!(kept, ALL, "{finished}");
    assert_eq!(finished.times_logged("service `writer`, "), 0, "the writer has stopped in its time\n{finished}");
    finished.logged(&["abandoned: ", "session `blocks`"]);
}

#[test]
fn a_writer_that_shares_blocked_workers_loses_its_buffer() {
    let (finished, kept) = kept_by("shared");
    finished.exited(124).within(DEADLINE);
    assert_eq!(kept, 0, "{finished}");
    finished.logged(&["abandoned: ", "service `writer`"]);
}

#[test]
fn what_runs_in_an_own_runtime_belongs_to_its_service() {
    let finished = terminate(start!("own_runtime", "members"));
    finished.exited(0).printed("a session drains on members").ended_with(&["1 session"]);
    for what in ["the body", "a session", "a blocking session", "a session of a blocking session", "a plain task"] {
        let line = format!("{what}: Lifecycle {{ of: \"members\", is_stopping: false, .. }} on members");
        finished.printed(&line);
    }
    let visitor = finished.printed_after("a thread that enters the runtime: ").next();
    assert!(visitor.is_some_and(|home| home.contains("of: \"members\"")), "{finished}");
}

#[test]
fn each_run_has_a_new_runtime_and_sessions_keep_theirs() {
    let finished = terminate(start!("own_runtime", "restarts"));
    finished.exited(0).printed_in_order(&["run 1", "run 2", "run 3", "the session of the first run drains"]);
}

#[test]
fn a_service_that_blocks_its_own_thread_is_named() {
    let finished = terminate(start!("own_runtime", "stuck"));
    finished.exited(124).within(DEADLINE).logged(&["abandoned: ", "service `stuck`", "blocking a thread for"]);
}

#[test]
fn what_holds_up_a_service_with_its_own_runtime_is_named() {
    let finished = terminate(start!("own_runtime", "held-up"));
    finished.exited(124).within(DEADLINE).logged(&["abandoned: ", "service `collector`", "waiting"]);
    let line = finished.logged(&["service `collector` has its own runtime, and may wait for abandoned sessions"]);
    assert!(line.contains("session `holds a sender` at tests/src/bin/own_runtime.rs:"), "{line}");
    assert!(line.contains("queued"), "{line}");
    finished.logged(&["abandoned: ", "session `of the store`", "of service `store`"]);
    assert!(!line.contains("of the store"), "that session is abandoned later: {line}");
}

#[test]
fn a_runtime_that_cannot_be_built_fails_its_service() {
    let finished = start!("own_runtime", "no-descriptors").finish();
    finished.exited(1).logged(&["service `members`", "cannot build its own runtime: "]);
}
