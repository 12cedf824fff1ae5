//! Every public item of the crate has an example in its documentation, or says which one has it.

use std::fs;
use std::path::{Path, PathBuf};

/// What says that another item has the example.
const ELSEWHERE: &str = "has an example";
/// The files whose `pub use` makes an item public.
const DOORS: [&str; 3] = ["lib.rs", "http/mod.rs", "testing/mod.rs"];
/// What only the compiler names.
const INFERRED: [&str; 1] = ["CallFn"];

#[test]
fn every_public_item_has_an_example() {
    let mut files = Vec::new();
    rust_files(&sources(), &mut files);
    let texts: Vec<_> = files.iter().map(|path| (path, fs::read_to_string(path).expect("it can be read"))).collect();
    let mut names: Vec<_> = DOORS.iter().flat_map(|door| exported(&sources().join(door))).collect();
    names.retain(|name| !INFERRED.contains(&name.as_str()));
    assert!(names.len() > 60, "only {} public items: {names:?}", names.len());
    let without: Vec<_> = names.iter().filter(|name| !texts.iter().any(|(_, text)| has_example(text, name))).collect();
    assert!(without.is_empty(), "no example, and no word of where it is: {without:?}");
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../canstop/src")
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The last names of what a file exports with `pub use crate::..` or `pub use module::..`.
fn exported(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let statements = text.split("\npub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let own =
        statements.filter(|statement| !statement.starts_with("canstop_macros") && !statement.starts_with("hyper"));
    let names = own.flat_map(|statement| statement.split(['{', ',', '}']).map(str::trim).collect::<Vec<_>>());
    let last = names.filter_map(|name| name.rsplit("::").next()).filter(|name| !name.is_empty() && *name != "*");
    last.map(str::to_owned).collect()
}

/// Whether the file defines this item, with an example in its documentation.
fn has_example(text: &str, name: &str) -> bool {
    let lines: Vec<_> = text.lines().map(str::trim_start).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let definition = line.strip_prefix("pub ").is_some_and(|item| {
            let mut words = item.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
            words.find(|word| !["async", "const", "enum", "fn", "struct", "trait", "type"].contains(word)) == Some(name)
        });
        // Attributes may stand between the documentation and the item, over several lines.
        let above = lines[..at].iter().rev().take_while(|line| !line.is_empty() && !line.starts_with('}'));
        definition
            && above.filter(|line| line.starts_with("///")).any(|doc| doc.contains("```") || doc.contains(ELSEWHERE))
    })
}
