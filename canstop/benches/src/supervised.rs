//! Running measured code under a supervisor.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use canstop::{App, Flavor, Lifecycle};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// More than a million tasks of the slowest way need.
const GRACE: Duration = Duration::from_secs(120);

/// Runs `main` as the body of a program, on one thread or with two workers.
///
/// # Panics
///
/// If it panics, or something is abandoned.
pub fn run(flavor: Flavor, main: impl Future<Output = ()>) {
    let app = App::new().grace(GRACE).flavor(flavor);
    let app = if flavor == Flavor::MultiThread { app.worker_threads(2) } else { app };
    assert_eq!(app.run(main), ExitCode::SUCCESS, "see the supervisor's report");
}

/// Runs `body` on a separate thread, which may block on work that it spawns on the supervised runtime.
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
