//! Hooks that flush before the program ends.

use crate::session::expect_scope;

/// Runs a closure when everything has stopped and the code after `run()` is done, while the runtime is still
/// there: for exporters of traces, buffers and batches that have taken in the last words of every service.
///
/// Hooks run side by side, each on a thread of its own, which may block and may use the runtime. They have a
/// second together, or a fifth of a shorter grace, which is reserved: nothing before them can use it up. The
/// sessions that they spawn are waited for within this time. One that does not end in time is named in the report,
/// as such a session is, and one that panics makes the program fail. A second stop
/// signal, which ends the program at once, does not wait for them, and a hook that is added while they run
/// comes too late.
///
/// ```
/// # struct Exporter;
/// # impl Exporter { fn shutdown(self) {} }
/// # async fn example(exporter: Exporter) {
/// canstop::flush("otel", move || exporter.shutdown());
/// # }
/// ```
///
/// A hook returns nothing. Where the exporter's call returns a `Result`, the hook handles it. `expect` makes a
/// failure count: the error is in the report's line, and the exit code is 1.
///
/// ```
/// # struct Exporter;
/// # impl Exporter { fn shutdown(self) -> std::io::Result<()> { Ok(()) } }
/// # async fn example(exporter: Exporter) {
/// canstop::flush("otel", move || exporter.shutdown().expect("the last batch is sent"));
/// # }
/// ```
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
#[track_caller]
pub fn flush(name: impl Into<String>, hook: impl FnOnce() + Send + 'static) {
    expect_scope("`canstop::flush`").hub.add_flush_hook(name.into(), Box::new(hook));
}
