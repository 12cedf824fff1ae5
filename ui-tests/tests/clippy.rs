//! The `clippy.toml` that comes with canstop finds what the attribute cannot see.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const EXAMPLE: &str = "fire_and_hope";
/// Ends a line that must be warned of.
const MARK: &str = "// warned of";

#[test]
fn the_clippy_toml_finds_what_the_words_of_a_body_do_not_tell() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = || Command::new(env!("CARGO"));
    if !cargo().args(["clippy", "--version"]).output().is_ok_and(|output| output.status.success()) {
        println!("skipped: clippy is not installed; `rustup component add clippy` installs it");
        return;
    }
    let output = cargo()
        .args(["clippy", "--quiet", "--message-format=short", "--example", EXAMPLE])
        .current_dir(package)
        .env("CLIPPY_CONF_DIR", package.join("../canstop/docs"))
        .output()
        .expect("cargo can be run");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");

    let source = std::fs::read_to_string(package.join(format!("examples/{EXAMPLE}.rs"))).expect("the example");
    let marked: Vec<usize> =
        source.lines().enumerate().filter(|(_, line)| line.ends_with(MARK)).map(|(index, _)| index + 1).collect();
    let warned = warnings(&text);
    assert_eq!(warned.keys().copied().collect::<Vec<_>>(), marked, "{text}");
    for (line, warning) in warned {
        assert!(warning.contains("use of a disallowed method"), "line {line}: {warning}");
    }
}

/// The warnings in the example, by line: `ui-tests/examples/fire_and_hope.rs:19:9: warning: ..`.
fn warnings(text: &str) -> BTreeMap<usize, &str> {
    let file = format!("{EXAMPLE}.rs:");
    let in_example = text.lines().filter_map(|line| Some((line, line.split_once(&file)?.1)));
    in_example
        .map(|(line, place)| (place.split(':').next().expect("a line").parse().expect("a number"), line))
        .collect()
}
