//! A disk that is soon full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::place::scratch_folder;

/// A small disk in memory. It is unmounted with the test.
pub(crate) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk of so many MiB; `None`, and says so, where this user may not.
    pub(crate) fn mount(size: u32) -> Option<Self> {
        let folder = scratch_folder();
        let options = format!("size={size}m");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "canstop-test"]).arg(&folder).output();
        let output = output.expect("there is a `mount`");
        if !output.status.success() {
            println!("SKIPPED: no disk can be mounted: {}", String::from_utf8_lossy(&output.stderr).trim());
            return None;
        }
        Some(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Gives it so many MiB.
    pub(crate) fn grow(&self, size: u32) {
        let options = format!("remount,size={size}m");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.folder).status();
        assert!(status.expect("there is a `mount`").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: where the test fails, the program may still have a file open.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
        let _ = fs::remove_dir(&self.folder);
    }
}
