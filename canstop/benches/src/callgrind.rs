//! Instructions, counted by valgrind's callgrind: the same number in every run, however busy the machine is.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, mem};

use crate::arguments::PART;
use crate::child;

/// Returns true if valgrind is installed.
pub fn is_installed() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Instructions by the source file of their code, even if it was inlined elsewhere.
pub type Count = BTreeMap<String, u64>;

/// Where one count ends and the next begins.
#[inline(never)]
pub fn mark() {
    // Keeps the function from being merged with another empty one.
    black_box(());
}

/// Runs a part under callgrind. Returns the main thread's counts before the first [`mark`] and between each two,
/// but not those after the last one.
///
/// # Panics
///
/// If valgrind is missing, the part fails, or there is no mark in it.
pub fn count(part: &[&str]) -> Vec<Count> {
    let folder = Folder::new();
    // By its length the environment moves the heap, and so, by a few instructions, what an allocation costs.
    let program = folder.0.join("part");
    fs::copy(child::program(), &program).unwrap_or_else(|error| panic!("cannot write {}: {error}", program.display()));
    child::output(
        Command::new("valgrind")
            .env_clear()
            .envs(env::var_os("PATH").map(|path| ("PATH", path)))
            .args(["--tool=callgrind", "--separate-threads=yes"])
            .arg(concat!("--dump-before=", module_path!(), "::mark"))
            .arg(format!("--callgrind-out-file={}", folder.0.join("dump").display()))
            .arg(program)
            .arg(PART)
            .args(part),
    );
    let dumps = (1..).map(|number| folder.0.join(format!("dump.{number}-01"))).take_while(|dump| dump.exists());
    let counts: Vec<_> = dumps.map(|dump| read(&dump)).collect();
    // callgrind writes the last dump when the process ends.
    assert!(counts.len() > 1, "callgrind has not seen a mark in {part:?}");
    counts
}

fn read(dump: &Path) -> Count {
    let text = fs::read_to_string(dump).unwrap_or_else(|error| panic!("cannot read {}: {error}", dump.display()));
    parse(&text).unwrap_or_else(|| panic!("not callgrind's format: {}", dump.display()))
}

/// Parses callgrind's format: `fl=`, `fi=` and `fe=` give the file of the lines after them, by name and number
/// the first time and by number after that. Returns `None` if the text is not in that format.
fn parse(dump: &str) -> Option<Count> {
    let mut count = Count::new();
    let mut names = HashMap::new();
    let mut file = "";
    let mut of_callee = false;
    for line in dump.lines() {
        match line.split_once('=') {
            Some((key @ ("fl" | "fi" | "fe" | "cfi" | "cfl"), value)) => {
                let (number, name) = value.split_once(' ').unwrap_or((value, ""));
                if !name.is_empty() {
                    names.insert(number, name);
                }
                let name = names.get(number)?;
                if !key.starts_with('c') {
                    file = name;
                }
            }
            Some(("calls", _)) => of_callee = true,
            _ if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) => {
                let cost: u64 = line.split(' ').nth(1)?.parse().ok()?;
                if !mem::take(&mut of_callee) {
                    *count.entry(file.to_owned()).or_default() += cost;
                }
            }
            _ => {}
        }
    }
    let total = dump.lines().find_map(|line| line.strip_prefix("totals: "))?;
    (count.values().sum::<u64>() == total.trim().parse::<u64>().ok()?).then_some(count)
}

/// A folder for the dumps, removed when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("canstop-callgrind-{:010}-{number:03}", process::id()));
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
    fn callees_count_once_and_inlined_code_counts_for_its_file() {
        let dump = "fl=(1) a.rs\nfn=(1) outer\n10 5\nfi=(2) b.rs\n+3 7\nfe=(1)\n* 1\ncfi=(3) c.rs\ncfn=(2) inner\n\
                    calls=1 40\n* 100\n\nfl=(3)\nfn=(2)\n40 100\n\ntotals: 113\n";
        let by_file = [("a.rs", 6), ("b.rs", 7), ("c.rs", 100)].map(|(file, cost)| (file.to_owned(), cost));
        assert_eq!(parse(dump), Some(by_file.into()));
    }

    #[test]
    fn a_dump_with_a_wrong_total_is_rejected() {
        assert_eq!(parse("fl=(1) a.rs\nfn=(1) outer\n10 5\n\ntotals: 6\n"), None);
        assert_eq!(parse("fl=(1) a.rs\nfn=(1) outer\n10 5\n"), None);
    }
}
