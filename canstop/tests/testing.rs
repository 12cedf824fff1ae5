//! What `#[canstop::test]` and `canstop::testing` promise of themselves.

use std::future::pending;
use std::time::Duration;

use canstop::testing::Supervisor;
use canstop::{Exit, Service, Signal, spawn_session};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[canstop::test]
#[should_panic(expected = "canstop/tests/testing.rs")]
async fn a_leaked_session_fails_its_test(mut sup: Supervisor) {
    spawn_session!(pending::<()>());
    sup.advance(ms(1)).await;
}

#[canstop::test]
#[should_panic(expected = "sessions outlive the test")]
async fn so_does_one_that_is_spawned_after_the_stop(mut sup: Supervisor) {
    let _ = sup.stop().await;
    spawn_session!(pending::<()>());
}

#[canstop::test]
async fn a_second_signal_ends_the_program_and_not_the_test(mut sup: Supervisor) {
    sup.start(Service::new("deaf", |_| pending::<()>()));
    sup.advance(ms(1)).await;
    sup.signal(Signal::Interrupt);
    sup.advance(ms(200)).await;
    sup.signal(Signal::Interrupt);
    let report = sup.wait().await;
    assert_eq!(report.exit, Exit::Forced(Signal::Interrupt));
    assert_eq!(report.stragglers[0].name.as_deref(), Some("deaf"));
}

#[canstop::test]
async fn a_test_may_fail_with_an_error_and_take_no_supervisor() -> anyhow::Result<()> {
    let answer = spawn_session!(async { 42 }).await?;
    anyhow::ensure!(answer == 42, "it is {answer}");
    Ok(())
}

/// Hears nothing, and is dropped instead.
#[canstop::service(manual, cancel)]
async fn deaf() {
    pending().await
}

#[canstop::test]
async fn one_that_is_dropped_before_it_ever_ran_is_over_at_once(mut sup: Supervisor) {
    sup.start(deaf());
    let report = sup.stop().await;
    assert_eq!((report.exit, report.duration), (Exit::Clean, Duration::ZERO), "{report}");
}
