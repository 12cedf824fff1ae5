//! A supervisor around what is measured.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use canstop::{App, Flavor, Lifecycle};
use tokio::runtime::Handle;

/// More than a million of the slowest need.
const GRACE: Duration = Duration::from_secs(120);

/// Runs `main` as the body of a program.
///
/// # Panics
///
/// If it panics, or something is left behind.
pub fn run(flavor: Flavor, main: impl Future<Output = ()>) {
    let app = App::new().grace(GRACE).flavor(flavor);
    let app = if flavor == Flavor::MultiThread { app.worker_threads(2) } else { app };
    assert_eq!(app.run(main), ExitCode::SUCCESS, "see what the supervisor said");
}

/// Runs `body` on a thread that may drive a runtime of its own, or use the supervised one, which has
/// two workers.
pub fn run_thread(body: impl FnOnce(&Handle) + Send + 'static) {
    run(Flavor::MultiThread, async {
        let lifecycle = Lifecycle::current();
        let two_workers = Handle::current();
        let thread = thread::spawn(move || {
            let _guard = lifecycle.enter();
            body(&two_workers);
        });
        thread.join().expect("the measuring thread does not panic");
    });
}
