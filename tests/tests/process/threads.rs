//! Sessions from threads outside tokio.

#[test]
fn a_session_outside_a_supervisor_panics_with_a_remedy() {
    let finished = start!("threads", "stranger").finish();
    finished.exited(0);
    finished.printed("the thread has panicked").never_printed("a session from a foreign thread");
    let sentence = "`spawn_session!` was called outside a supervisor, where nothing would wait for its work.";
    finished.logged(&[sentence, "`#[canstop::main]` or `canstop::App`", "hold the guard of `lifecycle.enter()`"]);
    // The panic's place is that of the `spawn_session!`, not one within canstop.
    finished.logged(&["panicked at tests/src/bin/threads.rs"]);
}

#[test]
fn a_thread_that_enters_the_lifecycle_can_spawn_sessions() {
    let finished = start!("threads", "guest").finish();
    finished.exited(0);
    finished.printed("the thread has spawned a session").printed("a session from a foreign thread");
    // It is a job, and ends well.
    assert!(finished.stderr.is_empty(), "{finished}");
}
