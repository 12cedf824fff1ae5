//! Sessions from threads of others, and settings that are computed.

#[test]
fn sessions_of_shared_code_are_tasks_without_a_supervisor() {
    let finished = start!("elsewhere").finish();
    finished.exited(0);
    finished.printed_in_order(&["a future runs in a task", "main runs", "a future runs in a session"]);
    finished.printed("a closure runs in a task").printed("a closure runs in a session");
}

#[test]
fn sessions_of_a_lifecycle_are_waited_for_whatever_thread_spawns_them() {
    let finished = start!("elsewhere").finish();
    finished.exited(0).printed("the session of a thread is done").printed("the session of a runtime is done");
}

#[test]
fn an_option_is_computed_once_and_before_main_runs() {
    let finished = start!("elsewhere").finish();
    finished.exited(0).printed_in_order(&["the grace is computed", "main runs", "the computed service runs"]);
    assert_eq!(finished.times_printed("the grace is computed"), 1, "{finished}");
}
