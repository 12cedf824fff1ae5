//! Work on threads that are not the runtime's, and timers of the real clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use canstop::testing::Supervisor;
use canstop::{Event, Exit, Signal, Straggler, spawn_blocking_session, spawn_session};
use canstop_tests_board::digest::digest;

use crate::app::App;

#[canstop::test(clock = "real")]
async fn a_digest_that_a_thread_computes_is_posted(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    app.board.post("a").expect("it is short");
    let thread = digest(sup.lifecycle(), Arc::clone(&app.board));
    thread.join().expect("it does not panic");
    app.stop(&mut sup).await;
    assert_eq!(app.board.list(), ["a", "digest 97"]);
}

#[canstop::test(clock = "real")]
async fn digests_of_many_threads_are_all_archived(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let threads: Vec<_> = (0..20).map(|_| digest(sup.lifecycle(), Arc::clone(&app.board))).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    app.stop(&mut sup).await;
    assert_eq!(app.archived().len(), 20);
}

#[canstop::test(clock = "real")]
async fn a_thread_may_start_the_stop(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let lifecycle = sup.lifecycle();
    std::thread::spawn(move || lifecycle.shutdown("a thread says so")).join().expect("it does not panic");
    let report = sup.wait().await;
    assert!(report.to_string().contains("a thread says so"), "{report}");
    assert_eq!(app.archived(), [""; 0]);
}

#[canstop::test(clock = "real")]
async fn time_passes_while_the_test_waits(_sup: Supervisor) {
    let began = Instant::now();
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(began.elapsed() >= Duration::from_millis(30));
}

#[canstop::test(clock = "real")]
async fn a_blocking_session_hands_over_to_a_session(_sup: Supervisor) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let receives = spawn_blocking_session!(move || receiver.recv());
    spawn_session!(async move { sender.send(7) });
    assert_eq!(receives.await.expect("it does not panic"), Ok(7));
}

#[canstop::test(clock = "real", grace = "100ms")]
async fn a_session_that_ignores_the_stop_is_abandoned_in_real_time(mut sup: Supervisor) {
    let began = Instant::now();
    spawn_session!("deaf", std::future::pending::<()>());
    let report = sup.stop().await;
    assert!(began.elapsed() >= Duration::from_millis(100));
    let is_named = |straggler: &Straggler| straggler.name.as_deref() == Some("deaf");
    assert!(report.stragglers.iter().any(is_named), "{report}");
    assert_eq!(report.exit, Exit::Abandoned, "{report}");
}

#[canstop::test(clock = "real", grace = "5s", drain_delay = "50ms")]
async fn a_drain_delay_goes_on_serving(mut sup: Supervisor) {
    let app = App::start(&mut sup).await;
    let mut client = app.client();
    let began = Instant::now();
    sup.signal(Signal::Terminate);
    sup.wait_for(|event| matches!(event, Event::StopRequested { .. })).await;
    assert_eq!(client.ask("PUT milk"), "OK 0");
    app.stop(&mut sup).await;
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert_eq!(app.archived(), ["milk"]);
}
