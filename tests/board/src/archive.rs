//! The archive: a thread that blocks in `recv()` and writes a file.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use canstop::Lifecycle;

use crate::board::Board;

/// Writes every note that was posted to a file. The others stop before it, so it is the last to have something to
/// write.
///
/// # Errors
///
/// If the file cannot be written.
#[canstop::service(blocking, restart = "never")]
pub fn archive(lifecycle: Lifecycle, board: Arc<Board>, records: Receiver<String>, path: PathBuf) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    lifecycle.on_stopping(move || board.close_archive());
    lifecycle.ready();
    while let Ok(record) = records.recv() {
        writeln!(file, "{record}")?;
    }
    file.flush()
}
