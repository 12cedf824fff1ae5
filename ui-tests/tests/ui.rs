//! What compiles, and what the compiler says of what does not.
//!
//! `TRYBUILD=overwrite cargo test -p canstop-ui-tests` blesses the texts in `fail/`.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn misuse_does_not_compile_and_gets_the_blessed_text() {
    trybuild::TestCases::new().compile_fail("fail/*/*.rs");
}

#[test]
fn correct_use_compiles() {
    trybuild::TestCases::new().pass("pass/*.rs");
}

/// The case with several mistakes.
const SEVERAL: &str = "several";

/// What a macro writes, or has no documentation. An attribute is not shown either: the mistake is in what the user
/// wrote under it.
const INSIDES: [&str; 12] = [
    "__canstop",
    "__spawn",
    "$crate",
    "private",
    "canstop-macros/src",
    "src/macros.rs",
    "SITE",
    "Probe",
    "compile_error",
    "in this attribute macro expansion",
    "originates in the attribute macro",
    // What is shown of the standard library depends on whether its source is installed.
    "$RUST",
];

#[test]
fn each_mistake_is_one_error_in_the_users_own_file_and_shows_nothing_generated() {
    let mut broken = Vec::new();
    for path in blessed() {
        let text = fs::read_to_string(&path).expect("a blessed text can be read");
        let name = path.file_stem().expect("a blessed text has a name").to_string_lossy().into_owned();
        let errors = text.lines().filter(|line| line.starts_with("error") || line.starts_with("warning")).count();
        let places: Vec<_> = text.lines().filter_map(|line| line.trim_start().strip_prefix("--> ")).collect();
        let path = path.display();
        if errors != 1 && name != SEVERAL {
            broken.push(format!("{path}: {errors} errors"));
        }
        if places.first().is_none_or(|place| !place.starts_with("fail/")) {
            broken.push(format!("{path}: the first place is {:?}", places.first()));
        }
        for inside in INSIDES.iter().filter(|inside| text.contains(*inside)) {
            broken.push(format!("{path}: shows {inside}"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn blessed() -> Vec<PathBuf> {
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fail")).expect("there are cases");
    let files = folders.flat_map(|folder| fs::read_dir(folder.expect("a folder").path()).expect("a folder of cases"));
    let files = files.map(|file| file.expect("a case").path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "stderr")).collect()
}
