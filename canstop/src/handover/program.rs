//! How this process was started, so that another one can be started in the same way.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Variables that are about this process alone: its pid, or descriptors that the next one does not inherit.
const OWN_VARIABLES: [&str; 5] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "CANSTOP_READY_FD"];

/// The path, the arguments and the directory by which this process was started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Without a slash it is searched for in `PATH`.
    path: PathBuf,
    arguments: Vec<OsString>,
    directory: Option<PathBuf>,
}

impl Program {
    /// Reads how this process was started. It must come before user code, which may change the directory.
    pub(crate) fn of_this_process() -> Self {
        let arguments: Vec<_> = env::args_os().collect();
        let directory = env::current_dir().ok();
        let written = path_of_start().or_else(|| arguments.first().map(PathBuf::from)).unwrap_or_default();
        let path = resolve(&written, directory.as_deref()).or_else(|| env::current_exe().ok()).unwrap_or(written);
        Self { path, arguments, directory }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A command that starts it again.
    pub(super) fn command(&self) -> Command {
        use std::os::unix::process::CommandExt as _;

        let mut command = Command::new(&self.path);
        let mut arguments = self.arguments.iter();
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        command.args(arguments);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        for variable in OWN_VARIABLES {
            command.env_remove(variable);
        }
        command
    }
}

/// The path that was given to execve(2). Unlike `/proc/self/exe`, it is not resolved: a link that leads to another
/// version by now does so for the next process.
#[cfg(target_os = "linux")]
fn path_of_start() -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;

    let path = rustix::param::linux_execfn().to_bytes();
    (!path.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(path)))
}

#[cfg(not(target_os = "linux"))]
fn path_of_start() -> Option<PathBuf> {
    None
}

/// The path for a later start in any directory; `None` for one that leads nowhere then.
fn resolve(written: &Path, directory: Option<&Path>) -> Option<PathBuf> {
    let has_folder = written.parent().is_some_and(|parent| parent != Path::new(""));
    // An open file was executed, which the next process does not have.
    let is_descriptor = written.starts_with("/dev/fd") || written.starts_with("/proc/self/fd");
    match directory {
        _ if is_descriptor || written == Path::new(OsStr::new("")) => None,
        Some(directory) if has_folder => Some(directory.join(written)),
        None if has_folder && written.is_relative() => None,
        _ => Some(written.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_one_of_the_first_directory() {
        let here = Some(Path::new("/srv"));
        for (written, directory, expected) in [
            ("./shop", here, Some("/srv/./shop")),
            ("bin/shop", here, Some("/srv/bin/shop")),
            ("bin/shop", None, None),
            ("/opt/current/shop", here, Some("/opt/current/shop")),
            ("/opt/current/shop", None, Some("/opt/current/shop")),
            ("shop", here, Some("shop")),
            ("/dev/fd/7", here, None),
            ("", here, None),
        ] {
            assert_eq!(resolve(Path::new(written), directory), expected.map(PathBuf::from), "{written}");
        }
    }

    #[test]
    fn the_command_does_not_pass_on_what_is_about_this_process() {
        let program = Program::of_this_process();
        assert!(program.path().is_absolute(), "{program:?}");
        let command = program.command();
        let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(OWN_VARIABLES.iter().all(|variable| removed.contains(&OsStr::new(variable))), "{removed:?}");
        assert_eq!(command.get_current_dir(), env::current_dir().ok().as_deref());
    }
}
