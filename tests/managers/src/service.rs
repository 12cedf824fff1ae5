//! A program that a manager runs.

use std::env;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use canstop_examples::ScratchFolder;

use crate::{Daemon, Events, free_port};

/// Longer than anything takes.
const LIMIT: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_millis(5);

/// A program, its settings, and a folder for it and its manager.
#[derive(Debug)]
pub struct Service {
    /// The program's path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its environment, beside that of its manager.
    pub variables: Vec<(String, String)>,
    /// Where it listens, if it does.
    pub address: SocketAddr,
    /// The database, if it has one.
    pub events: Events,
    folder: ScratchFolder,
}

impl Service {
    /// A program with these arguments and variables.
    ///
    /// It is in the system's folder for temporary files, because the paths of sockets must be short.
    #[must_use]
    pub fn new(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = ScratchFolder::new_in(env::temp_dir());
        let address = free_port();
        let events = Events::new(folder.path().join("events.db"));
        let mut all = vec![
            ("LISTEN".to_owned(), address.to_string()),
            ("DATABASE_URL".to_owned(), format!("sqlite:{}", events.file().display())),
            ("NO_COLOR".to_owned(), "1".to_owned()),
            // The machine of the test may be a container of a platform that has defaults of its own.
            ("CANSTOP_PLATFORM".to_owned(), "none".to_owned()),
        ];
        all.extend(variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { program: program.to_owned(), arguments, variables: all, address, events, folder }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of what it writes to stdout and stderr.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.folder().join("log")
    }

    /// What it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    /// Waits until its log has this text so many times.
    ///
    /// # Panics
    ///
    /// If it never has.
    #[track_caller]
    pub fn wait_for(&self, text: &str, times: usize) {
        let is_there = eventually(|| self.log().matches(text).count() >= times);
        assert!(is_there, "{text:?} is not {times} times in its log:\n{}", self.log());
    }

    /// Starts it without a manager. What it writes is added to its log.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(&self) -> Daemon {
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a file");
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        Daemon::start(command.stdout(log.try_clone().expect("a file")).stderr(log))
    }

    /// A shell script that becomes the program.
    #[must_use]
    pub fn script(&self) -> String {
        let mut script = "#!/bin/sh\n".to_owned();
        for (name, value) in &self.variables {
            script += &format!("export {name}='{value}'\n");
        }
        let words: Vec<_> = self.arguments.iter().map(|argument| format!("'{argument}'")).collect();
        script + &format!("exec '{}' {} >> '{}' 2>&1\n", self.program, words.join(" "), self.log_file().display())
    }
}

/// Repeats a question until the answer is yes. Returns false if it never is.
#[must_use]
pub fn eventually(mut is_so: impl FnMut() -> bool) -> bool {
    let ends = Instant::now() + LIMIT;
    while !is_so() {
        if Instant::now() >= ends {
            return false;
        }
        thread::sleep(ASK_EVERY);
    }
    true
}

/// Runs a command of a manager to its end, and returns what it wrote to stdout.
///
/// # Panics
///
/// If it cannot be started.
pub fn output_of(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().expect("the command is installed");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
