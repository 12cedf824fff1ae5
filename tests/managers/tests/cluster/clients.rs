//! A load on a cluster, and what became of its events.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use canstop_managers::{Events, eventually};

/// The program.
pub(crate) const LOAD: &str = env!("CARGO_BIN_EXE_load_tracker");
/// The clients of each kind.
const CLIENTS: &str = "8";

/// Clients that post events until they are stopped.
pub(crate) struct Clients {
    load: Child,
    ids: PathBuf,
}

/// What became of the events of an update.
pub(crate) struct Update {
    pub(crate) text: String,
    pub(crate) has_failures: bool,
    pub(crate) created: Vec<String>,
}

impl Clients {
    /// Starts [`LOAD`], which writes a file to the folder.
    pub(crate) fn start(mut load: Command, address: &str, folder: &Path) -> Self {
        let ids = folder.join("ids");
        load.args([address, CLIENTS]).arg(&ids).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self { load: load.spawn().expect("the program was built with this test"), ids }
    }

    /// Ends the input of the clients, which ends them.
    pub(crate) fn finish(self) -> Update {
        let output = self.load.wait_with_output().expect("it is a child");
        let created = fs::read_to_string(self.ids).expect("the clients write it at their end");
        Update {
            text: String::from_utf8_lossy(&output.stdout).into_owned(),
            has_failures: !output.status.success(),
            created: created.lines().map(str::to_owned).collect(),
        }
    }
}

/// Asks a tracker for its statistics until it answers. `curl` is that of the clients' network.
#[track_caller]
pub(crate) fn wait_until_served(mut curl: Command, address: &str) {
    curl.args(["--fail", "--silent", "--output", "/dev/null"]).arg(format!("http://{address}/stats"));
    assert!(eventually(|| curl.status().is_ok_and(|status| status.success())), "nothing is ready at {address}");
}

/// Those of these events that are in no database of this folder.
pub(crate) fn lost(created: Vec<String>, folder: &Path) -> Vec<String> {
    assert!(!created.is_empty(), "no event was accepted");
    let files = fs::read_dir(folder).expect("a folder").map(|file| file.expect("an entry").path());
    let databases = files.filter(|path| path.extension().is_some_and(|extension| extension == "db"));
    databases.fold(created, |missing, file| Events::new(file).missing(&missing))
}
