//! The house rules that a compiler does not check.

use std::fs;
use std::path::{Path, PathBuf};

/// Longer files often have a second purpose.
const LINES: usize = 350;
/// Files that may be longer, each with its reason.
const LONG: &[(&str, &str)] = &[
    ("canstop-macros/src/args/value.rs", "each kind of value beside its reader and its error"),
    ("canstop/src/app.rs", "an app, every setter of its options, and its launch"),
    ("canstop/src/machine/event.rs", "every event with its fields, and its kind in one word"),
    ("canstop/src/machine/plan.rs", "the graph and its faults, which must agree"),
    ("canstop/src/machine/state.rs", "every input in one match, and what the control plane may read"),
    ("canstop/src/registry/service.rs", "a service and every setter of its options"),
    ("canstop/src/report/event.rs", "each event's level, fields and text, and a sample of it"),
    ("canstop/src/session/scope.rs", "a scope and its counters are one structure"),
    ("canstop/src/session/tests.rs", "one suite for the hot path"),
    ("canstop/src/session/thread.rs", "the record of a thread, and all that touches it"),
];
/// Words for which plain English has a better one.
const OLD_WORDS: [&str; 8] = ["told", "stands", "whoever", "given up", "life", "lives", "somebody", "nobody"];
/// Modules for generated code, which may use every module.
const DOORS: [&str; 2] = ["macros", "private"];
/// The files that may contain `unsafe` code.
const UNSAFE: &[&str] = &[
    "canstop/src/control/exit.rs",
    "canstop/src/control/signals/unix.rs",
    "canstop/src/handover/successor.rs",
    "canstop/src/listen/kernel.rs",
    "canstop/src/listen/passed.rs",
    "canstop/src/notify/ready_fd.rs",
    "canstop/src/report/stderr.rs",
    "canstop/src/session/data_plane.rs",
    "canstop/src/session/forked.rs",
    "canstop/src/session/membarrier.rs",
    "canstop/src/session/slots.rs",
    "canstop/src/session/static_ref.rs",
    "canstop/src/session/table.rs",
    "canstop/src/session/tagged.rs",
];
/// What the machine must not contain.
const NOT_IN_THE_MACHINE: [&str; 4] = ["tokio", "std::thread", "Instant::now", "Mutex"];

#[test]
fn long_files_have_a_reason() {
    let is_long = |source: &Source| source.text.lines().count() > LINES;
    let has_reason = |source: &Source| LONG.iter().any(|(path, _)| *path == source.path);
    let long = sources().into_iter().filter(|source| is_long(source) && !has_reason(source));
    let long: Vec<_> = long.map(|source| format!("{}: {}", source.path, source.text.lines().count())).collect();
    assert!(long.is_empty(), "more than {LINES} lines and no reason in `LONG`:\n{}", long.join("\n"));
}

#[test]
fn no_text_has_an_old_word() {
    let mut found = Vec::new();
    for source in all_texts() {
        for (index, line) in source.text.lines().enumerate() {
            let lower = line.to_lowercase();
            let words = OLD_WORDS.iter().filter(|word| has_word(&lower, word));
            found.extend(words.map(|word| format!("{}:{}: `{word}` in {}", source.path, index + 1, line.trim())));
        }
    }
    assert!(found.is_empty(), "write it in plain words:\n{}", found.join("\n"));
}

/// Returns true if a line contains a word that is neither part of a longer one nor a lifetime.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
        !before.is_some_and(|before| is_in_name(before) || before == '\'') && !after.is_some_and(is_in_name)
    })
}

#[test]
fn modules_use_only_modules_above_them() {
    let order = modules_in_reading_order();
    let place = |module: &str| order.iter().position(|known| known == module);
    let mut faults = Vec::new();
    // Tests may use modules that are built on their own.
    for source in runtime_sources().into_iter().filter(|source| !source.path.contains("/tests")) {
        let Some(own) = source.top_module().filter(|own| !DOORS.contains(own)) else { continue };
        let own_place = place(own).unwrap_or_else(|| panic!("lib.rs does not declare `{own}`"));
        for (line, used) in source.uses_of_crate() {
            match place(&used) {
                Some(used_place) if used_place <= own_place => {}
                Some(_) => faults.push(format!("{}:{line}: `{own}` uses `{used}`, which is below it", source.path)),
                None => faults.push(format!("{}:{line}: `{used}` comes from lib.rs", source.path)),
            }
        }
    }
    assert!(faults.is_empty(), "the modules are in the order {order:?}:\n{}", faults.join("\n"));
}

#[test]
fn the_machine_has_no_clock_no_threads_and_no_runtime() {
    let machine = runtime_sources().into_iter().filter(|source| source.top_module() == Some("machine"));
    let found: Vec<_> =
        machine.flat_map(|source| NOT_IN_THE_MACHINE.map(|word| source.places_of(word))).flatten().collect();
    assert!(found.is_empty(), "{NOT_IN_THE_MACHINE:?} in the machine:\n{}", found.join("\n"));
}

#[test]
fn macros_and_environment_read_one_grammar_of_durations() {
    let [runtime, macros] = ["canstop/src/settings", "canstop-macros/src/args"].map(|folder| {
        let found = sources_in(folder).into_iter().find(|source| source.path.ends_with("/duration.rs"));
        found.unwrap_or_else(|| panic!("no duration.rs in {folder}")).text
    });
    assert!(runtime == macros, "canstop/src/settings/duration.rs and canstop-macros/src/args/duration.rs differ");
}

#[test]
fn no_file_has_a_todo() {
    let unfinished: Vec<_> = sources()
        .iter()
        .flat_map(|source| source.text.lines().enumerate().map(move |(index, line)| (source, index + 1, line)))
        .filter(|(_, _, line)| line.contains("TODO") || line.contains("FIXME"))
        .map(|(source, number, line)| format!("{}:{number}: {line}", source.path))
        .collect();
    assert!(unfinished.is_empty(), "{}", unfinished.join("\n"));
}

#[test]
fn only_listed_files_contain_unsafe_code() {
    let allows = |source: &Source| !source.places_of("unsafe_code").is_empty();
    let found: Vec<_> = sources().into_iter().filter(allows).map(|source| source.path).collect();
    assert_eq!(found, UNSAFE);
}

/// A file, by its path from the workspace's root.
struct Source {
    path: String,
    text: String,
    /// The text without comments, line by line.
    code: Vec<String>,
}

impl Source {
    fn read(root: &Path, file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
        let path = file.strip_prefix(root).expect("it was found under the root").to_string_lossy().replace('\\', "/");
        // This also cuts strings with two slashes, which hides nothing that these rules check.
        let code = text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code).to_owned()).collect();
        Self { path, text, code }
    }

    /// The top-level module of the file; `None` for `lib.rs`.
    fn top_module(&self) -> Option<&str> {
        let within = self.path.strip_prefix("canstop/src/")?;
        let module = within.split('/').next()?.trim_end_matches(".rs");
        (module != "lib").then_some(module)
    }

    fn places_of(&self, text: &str) -> Vec<String> {
        let lines = self.code.iter().enumerate().filter(|(_, line)| line.contains(text));
        lines.map(|(index, _)| format!("{}:{}", self.path, index + 1)).collect()
    }

    /// The first name after each `crate::`, with its line.
    fn uses_of_crate(&self) -> Vec<(usize, String)> {
        let code = self.code.join("\n");
        let starts = code.match_indices("crate::").filter(|&(at, _)| {
            let before = code[..at].chars().next_back();
            !before.is_some_and(|before| before == '$' || is_in_name(before))
        });
        let mut uses = Vec::new();
        for (at, path) in starts {
            let line = code[..at].lines().count();
            uses.extend(first_names(&code[at + path.len()..]).into_iter().map(|name| (line, name)));
        }
        uses
    }
}

fn is_in_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The first name of a path, or of each path of a group in braces.
fn first_names(path: &str) -> Vec<String> {
    let name = |path: &str| path.trim_start().chars().take_while(|&next| is_in_name(next)).collect::<String>();
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut names = vec![name(group)];
    let mut depth = 1;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(&group[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn first_names_reads_groups_and_plain_paths() {
    assert_eq!(first_names("machine::{Exit, Signal};"), ["machine"]);
    assert_eq!(first_names("{machine::{Exit, Signal}, session::Site, App,}; {other}"), ["machine", "session", "App"]);
}

fn modules_in_reading_order() -> Vec<String> {
    let lib = runtime_sources().into_iter().find(|source| source.path.ends_with("src/lib.rs")).expect("a lib.rs");
    let declared = lib.code.iter().filter_map(|line| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    });
    declared.collect()
}

fn sources() -> Vec<Source> {
    let mut sources = runtime_sources();
    sources.extend(sources_in("canstop-macros/src"));
    sources
}

/// The sources, the workspace's tests, examples and benchmarks, and the pages of the docs.
fn all_texts() -> Vec<Source> {
    let mut texts = sources();
    for folder in ["canstop/tests", "canstop/benches", "examples", "tests", "ui-tests"] {
        texts.extend(sources_in(folder));
    }
    for folder in ["docs", "canstop/docs"] {
        texts.extend(texts_in(folder, "md"));
    }
    texts.extend(["README.md", "ARCHITECTURE.md", "PROOF.md"].map(|page| Source::read(root(), &root().join(page))));
    // This file lists the words.
    texts.retain(|source| !source.path.ends_with("tests/tidy.rs"));
    texts
}

fn runtime_sources() -> Vec<Source> {
    sources_in("canstop/src")
}

fn sources_in(folder: &str) -> Vec<Source> {
    texts_in(folder, "rs")
}

fn texts_in(folder: &str, extension: &str) -> Vec<Source> {
    let mut files = Vec::new();
    find(&root().join(folder), extension, &mut files);
    files.sort();
    assert!(!files.is_empty(), "nothing in {folder}");
    files.iter().map(|file| Source::read(root(), file)).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in a workspace")
}

fn find(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            find(&path, extension, files);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
}
