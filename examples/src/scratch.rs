//! Folders for tests.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, process, thread};

/// A new folder that no other test uses. It is removed if the test passes, and kept if it fails.
///
/// ```
/// use canstop_examples::ScratchFolder;
///
/// let path = {
///     let folder = ScratchFolder::new_in(std::env::temp_dir());
///     std::fs::write(folder.path().join("events.db"), "").unwrap();
///     folder.path().to_owned()
/// };
/// assert!(!path.exists());
/// ```
#[derive(Debug)]
pub struct ScratchFolder(PathBuf);

impl ScratchFolder {
    /// Makes one in a folder for such, such as `env!("CARGO_TARGET_TMPDIR")`.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn new_in(folder: impl AsRef<Path>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.as_ref().join(format!("canstop-{}-{number}", process::id()));
        fs::create_dir_all(&path).expect("a test may make folders there");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        if !thread::panicking() {
            // A leftover is harmless.
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
