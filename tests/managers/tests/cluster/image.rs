//! The folders of an image without a system of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Makes a folder with the places where a container mounts the machine's own `/usr`, its program and its data.
pub(crate) fn make_image(folder: &Path) -> PathBuf {
    let image = folder.join("image");
    for name in ["usr", "etc", "proc", "sys", "dev", "tmp", "data"] {
        fs::create_dir_all(image.join(name)).expect("a folder");
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), image.join(name)).expect("a link");
    }
    image
}
