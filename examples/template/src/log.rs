//! The log of this program.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// Starts a log that is written by a thread of its own, so that a slow pipe blocks no request.
/// `RUST_LOG` says what is logged.
pub fn start() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    let (output, guard) = tracing_appender::non_blocking(io::stdout());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(output)
        .init();
    // Dropped after the last line of the report, which flushes what the thread has not written.
    canstop::keep(guard);
}
