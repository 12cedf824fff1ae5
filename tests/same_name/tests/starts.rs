//! Which services start by themselves in a package whose library and binary have the same name.

use std::path::{Path, PathBuf};
use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_canstop-same-name");

fn printed(program: &Path, arguments: &[&str]) -> Vec<String> {
    let output = Command::new(program).args(arguments).output().expect("the program can be run");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn a_binary_does_not_start_its_librarys_services() {
    assert_eq!(printed(Path::new(BINARY), &[]), ["the binary's service runs"]);
}

#[test]
fn a_binary_starts_its_librarys_services_if_it_links_them() {
    assert_eq!(printed(Path::new(BINARY), &["linked"]), ["the binary's service runs", "the library's service runs"]);
}

#[test]
fn an_example_starts_only_its_own_services() {
    // Cargo builds the examples of a package before it runs the package's tests.
    let folder = Path::new(BINARY).parent().expect("a folder");
    let example: PathBuf = folder.join("examples/same_name_example");
    assert_eq!(printed(&example, &[]), ["the example's service runs"]);
}
