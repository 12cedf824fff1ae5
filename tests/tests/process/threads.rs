//! Threads that tokio has not made.

#[test]
fn a_session_from_a_thread_without_a_supervisor_panics_and_says_what_to_do() {
    let finished = start!("threads", "stranger").finish();
    finished.exited(0);
    finished.printed("the thread has panicked").never_printed("a session from a foreign thread");
    let sentence = "`spawn_session!` was called outside a supervisor, where nobody would wait for its work.";
    finished.said(&[sentence, "`#[canstop::main]` or `canstop::App`", "hold the guard of `lifecycle.enter()`"]);
    // The panic is said to be where the session stands, not somewhere within canstop.
    finished.said(&["panicked at tests/src/bin/threads.rs"]);
}

#[test]
fn a_thread_that_enters_the_lifecycle_spawns_sessions_like_any_other() {
    let finished = start!("threads", "guest").finish();
    finished.exited(0);
    finished.printed("the thread has spawned a session").printed("a session from a foreign thread");
    finished.ended_with(&["(finished)", "0 abandoned, exit code 0"]);
}
