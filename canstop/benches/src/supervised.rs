//! A supervisor around what is measured.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use canstop::{App, Flavor, Lifecycle};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// More than a million of the slowest need.
const GRACE: Duration = Duration::from_secs(120);

/// Runs `main` as the body of a program, on one thread or with two workers.
///
/// # Panics
///
/// If it panics, or something is left behind.
pub fn run(flavor: Flavor, main: impl Future<Output = ()>) {
    let app = App::new().grace(GRACE).flavor(flavor);
    let app = if flavor == Flavor::MultiThread { app.worker_threads(2) } else { app };
    assert_eq!(app.run(main), ExitCode::SUCCESS, "see what the supervisor said");
}

/// Runs `body` on a thread of its own, which may block on what it spawns on the supervised runtime.
///
/// # Panics
///
/// If it panics.
pub fn run_beside<T: Send + 'static>(flavor: Flavor, body: impl FnOnce(&Handle) -> T + Send + 'static) -> T {
    let mut result = None;
    run(flavor, async {
        let lifecycle = Lifecycle::current();
        let runtime = Handle::current();
        let (done, is_done) = oneshot::channel();
        thread::spawn(move || {
            let _guard = lifecycle.enter();
            let _ = done.send(body(&runtime));
        });
        result = Some(is_done.await.expect("the body does not panic"));
    });
    result.expect("the program has ended well")
}
