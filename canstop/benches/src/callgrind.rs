//! Instructions, counted by valgrind's callgrind: the same number at every run, whatever else the
//! machine does.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::{env, fs, mem};

use crate::arguments::PART;
use crate::child;

/// Is valgrind there?
pub fn is_installed() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Instructions by the source file that they were made of, also where they were inlined elsewhere.
pub type Count = BTreeMap<String, u64>;

/// Where one count ends and the next begins.
#[inline(never)]
pub fn mark() {
    // Not to be merged with another function that does nothing.
    black_box(());
}

/// Runs a part under callgrind. Gives what its main thread did before the first [`mark`], between each
/// two, and not what came after the last.
///
/// # Panics
///
/// If valgrind is missing, the part fails, or there is no mark in it.
pub fn count(part: &[&str]) -> Vec<Count> {
    let folder = Folder::new();
    // Where the heap begins to grow depends on how long the arguments and the environment are, and so,
    // by some instructions, does what an allocation costs. So both are always the same.
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
    // The last dump is made when the process ends.
    assert!(counts.len() > 1, "callgrind has not seen a mark in {part:?}");
    counts
}

fn read(dump: &Path) -> Count {
    let text = fs::read_to_string(dump).unwrap_or_else(|error| panic!("cannot read {}: {error}", dump.display()));
    parse(&text).unwrap_or_else(|| panic!("not callgrind's format: {}", dump.display()))
}

/// Reads callgrind's format: `fl=`, `fi=` and `fe=` say which file the lines after them are of, with the
/// name where a file is first named and its number later on. None if it is not in that format.
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

/// A folder for the dumps, gone when this is.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = env::temp_dir().join(format!("canstop-callgrind-{:010}", process::id()));
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
        assert_eq!(parse(dump), Some(by_file.into()));
    }

    #[test]
    fn a_dump_whose_sum_is_another_one_is_not_believed() {
        assert_eq!(parse("fl=(1) a.rs\nfn=(1) outer\n10 5\n\ntotals: 6\n"), None);
        assert_eq!(parse("fl=(1) a.rs\nfn=(1) outer\n10 5\n"), None);
    }
}
