use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use canstop::testing::Supervisor;
use canstop::{Lifecycle, Report};
use tokio::time::sleep;

/// Everything ended in time, and nothing failed on the way.
#[track_caller]
fn assert_well(report: &Report) {
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.failed_sessions, 0, "{report}");
    for service in &report.services {
        assert_eq!(service.last_error, None, "service `{}`", service.name);
    }
}

/// Its first run panics after a second; the next one works.
#[canstop::service]
async fn fragile(lifecycle: Lifecycle, failed: Arc<AtomicBool>) {
    lifecycle.ready();
    sleep(Duration::from_secs(1)).await;
    assert!(failed.swap(true, Ordering::Relaxed), "the first run fails");
    lifecycle.stopping().await;
}

#[canstop::test]
#[should_panic(expected = "the first run fails")]
async fn a_panic_that_was_survived_fails_the_test(mut sup: Supervisor) {
    sup.start(fragile(Arc::default()));
    sup.advance(Duration::from_secs(60)).await;
    assert_well(&sup.stop().await);
}
