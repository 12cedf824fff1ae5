//! The progress of the queue, as a bar on the terminal.

use std::io::{self, Write};
use std::time::Duration;

use canstop::Lifecycle;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::sleep;
use tracing_subscriber::fmt::MakeWriter;

use crate::table::{Stats, Table};

const REFRESH: Duration = Duration::from_millis(200);

/// A bar on stderr if that is a terminal, otherwise nothing.
#[derive(Clone)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Draws nothing before the first [`show`](Self::show).
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} jobs, {per_sec}, {eta} to go");
        Self(ProgressBar::hidden().with_style(style.expect("the template is well formed")))
    }

    fn show(&self, stats: Stats) {
        let Stats { queued, running, done } = stats;
        let is_first = self.0.length().is_none();
        self.0.set_length((queued + running + done).cast_unsigned());
        self.0.set_position(done.cast_unsigned());
        if is_first {
            self.0.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

/// Shows the progress of the queue. With `drain`, stops the program when no job is left.
#[canstop::service]
pub(crate) async fn progress(lifecycle: Lifecycle, table: Table, progress: Progress, drain: bool) -> sqlx::Result<()> {
    while !lifecycle.is_stopping() {
        let stats = table.stats().await?;
        progress.show(stats);
        if drain && stats.queued + stats.running == 0 {
            lifecycle.shutdown("every job is done");
        }
        lifecycle.run_until_stopping(sleep(REFRESH)).await;
    }
    progress.0.abandon();
    Ok(())
}

/// Writes log lines above the bar, not through it.
impl<'a> MakeWriter<'a> for Progress {
    type Writer = AboveTheBar<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        AboveTheBar(&self.0)
    }
}

pub(crate) struct AboveTheBar<'a>(&'a ProgressBar);

impl Write for AboveTheBar<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
