//! Instructions, counted by valgrind's callgrind: the same number at every run, whatever else the
//! machine does.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::{env, fs};

use crate::child;

/// Is valgrind there?
pub fn is_installed() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// What callgrind counts: nothing outside of this function. Each call of it has a count of its own.
///
/// Only the thread that calls it is counted.
#[inline(never)]
pub fn counted_by_callgrind(work: &mut dyn FnMut()) {
    work();
}

/// What one call of [`counted_by_callgrind`] took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All of it.
    pub total: u64,
    /// By the source file that the instructions were made of, also where they were inlined elsewhere.
    pub by_file: BTreeMap<String, u64>,
}

/// Runs a part under callgrind, and gives the count of each call of [`counted_by_callgrind`].
///
/// # Panics
///
/// If valgrind is missing, or the part fails.
pub fn count(part: &[&str]) -> Vec<Count> {
    let folder = Folder::new();
    let counted = concat!(module_path!(), "::counted_by_callgrind");
    child::output(
        Command::new("valgrind")
            .arg("--tool=callgrind")
            .args([format!("--toggle-collect={counted}"), format!("--dump-after={counted}")])
            .arg(format!("--callgrind-out-file={}", folder.0.join("dump").display()))
            .args(child::command_of_part(part)),
    );
    // The last one, without a number, is what came after the last call.
    let dumps = (1..).map(|number| folder.0.join(format!("dump.{number}")));
    dumps.take_while(|dump| dump.exists()).map(|dump| Count::read(&dump)).collect()
}

impl Count {
    fn read(dump: &Path) -> Self {
        let text = fs::read_to_string(dump).unwrap_or_else(|error| panic!("cannot read {}: {error}", dump.display()));
        Self::parse(&text)
    }

    /// Reads callgrind's format: `fl=`, `fi=` and `fe=` say which file the lines after them are of,
    /// with the name where a file is first named and its number later on.
    fn parse(dump: &str) -> Self {
        let mut count = Self::default();
        let mut names = HashMap::new();
        let mut file = String::new();
        let mut of_callee = false;
        for line in dump.lines() {
            if let Some((key, value)) = line.split_once('=')
                && ["fl", "fi", "fe", "cfi", "cfl"].contains(&key)
            {
                let (number, name) = value.split_once(' ').unwrap_or((value, ""));
                if !name.is_empty() {
                    names.insert(number, name);
                }
                if !key.starts_with('c') {
                    file = names.get(number).copied().unwrap_or_default().to_owned();
                }
            } else if line.starts_with("calls=") {
                of_callee = true;
            } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
                let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok()).unwrap_or_default();
                if !std::mem::take(&mut of_callee) {
                    count.total += cost;
                    *count.by_file.entry(file.clone()).or_default() += cost;
                }
            }
        }
        count
    }
}

/// A folder for the dumps, gone when this is.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = env::temp_dir().join(format!("canstop-callgrind-{}", process::id()));
        fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_callee_costs_is_not_counted_twice_and_inlined_code_goes_to_its_own_file() {
        let dump = "fl=(1) a.rs\nfn=(1) outer\n10 5\nfi=(2) b.rs\n+3 7\nfe=(1)\n* 1\ncfi=(3) c.rs\ncfn=(2) inner\n\
                    calls=1 40\n* 100\n\nfl=(3)\nfn=(2)\n40 100\n\ntotals: 113\n";
        let by_file = [("a.rs", 6), ("b.rs", 7), ("c.rs", 100)].map(|(file, cost)| (file.to_owned(), cost));
        assert_eq!(Count::parse(dump), Count { total: 113, by_file: by_file.into() });
    }
}
