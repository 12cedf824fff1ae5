//! The status and the events of a running program.

use canstop_tests::place_of;

#[test]
fn the_status_is_available_while_every_worker_is_blocked() {
    let finished = start!("watchers", "blocked").finish();
    finished.exited(0);
    assert_eq!(finished.printed_after("idle: ").count(), 1, "{finished}");
    let site = place_of("watchers", "spawn_session!(\"sleeper\"");
    let sessions: Vec<_> = finished.printed_after("2 x session `sleeper` at ").collect();
    assert!(matches!(sessions[..], [sessions] if sessions.starts_with(&site)), "{finished}");
}

#[test]
fn the_stream_of_events_equals_the_log() {
    let finished = start!("watchers", "events").finish();
    finished.exited(124);
    let stream: Vec<_> = finished.printed_after("stream ").collect();
    let log = finished.printed_after(" event=\"");
    let log: Vec<_> = log.map(|rest| rest.split('"').next().unwrap_or(rest)).collect();
    assert_eq!(stream, log, "{finished}");
    for kind in ["service_started", "service_ended", "session_failed", "abandoned", "stopped"] {
        assert!(stream.contains(&kind), "no {kind} in {finished}");
    }
}
