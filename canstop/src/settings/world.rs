//! The sources of settings outside the program.

use std::ffi::OsString;
use std::path::Path;

/// The environment and the file system, as far as settings depend on them.
pub(crate) struct World<'a> {
    pub(crate) variable: &'a dyn Fn(&str) -> Option<OsString>,
    pub(crate) exists: &'a dyn Fn(&Path) -> bool,
}

impl World<'static> {
    /// The environment and file system of this process.
    pub(crate) fn of_process() -> Self {
        Self { variable: &|name| std::env::var_os(name), exists: &|path| path.exists() }
    }
}

impl World<'_> {
    /// The value of a variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}
