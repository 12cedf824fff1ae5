//! A small disk, to be filled.

use std::path::Path;
use std::process::Command;

use canstop_examples::ScratchFolder;

use super::place::scratch_folder;

/// A small disk in memory, unmounted when dropped.
pub(crate) struct SmallDisk {
    folder: ScratchFolder,
}

impl SmallDisk {
    /// Mounts a disk of `size` MiB. Prints a line and returns `None` if this user may not mount.
    pub(crate) fn mount(size: u32) -> Option<Self> {
        let folder = scratch_folder();
        let options = format!("size={size}m");
        let output =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "canstop-test"]).arg(folder.path()).output();
        let output = output.expect("there is a `mount`");
        if !output.status.success() {
            println!("SKIPPED: no disk can be mounted: {}", String::from_utf8_lossy(&output.stderr).trim());
            return None;
        }
        Some(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Resizes the disk to `size` MiB.
    pub(crate) fn grow(&self, size: u32) {
        let options = format!("remount,size={size}m");
        let status = Command::new("mount").args(["-o", &options]).arg(self.folder.path()).status();
        assert!(status.expect("there is a `mount`").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: if the test fails, the program may still have a file open.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}
