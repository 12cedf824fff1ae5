//! What an editor shows where the macros are used: a scripted session with rust-analyzer, where one is
//! installed. `RUST_ANALYZER` names it where it is not on the path.
//!
//! Where the standard library's source is missing, rust-analyzer has rustup install it. A test installs
//! nothing, so there it is skipped too.

mod lsp;

use std::path::{Path, PathBuf};
use std::process::Command;

use lsp::Server;
use serde_json::{Value, json};

/// The source that is open in the editor. Of each request it says where, between two signs.
const SOURCE: &str = include_str!("open.rs.txt");

#[test]
fn an_editor_completes_under_a_wrong_option_shows_docs_and_finds_the_one_definition() {
    let Some(program) = rust_analyzer().filter(|_| has_library_source()) else {
        println!("skipped: `rustup component add rust-analyzer rust-src` installs what it takes");
        return;
    };
    let package = package();
    let mut server = Server::start(&program, &package);
    let file = server.open(&package.join("src/main.rs"), SOURCE);
    server.wait_until_it_knows_everything();

    let completed = server.request("textDocument/completion", &at(&file, "lifecycle.sto", "lifecycle.sto".len()));
    let labels: Vec<_> = list(&completed["items"]).iter().map(|item| item["label"].to_string()).collect();
    assert!(labels.iter().any(|label| label.contains("stopping")), "only {labels:?}");

    let hover = server.request("textDocument/hover", &at(&file, "http(Pool", 1));
    assert!(hover["contents"].to_string().contains("Answers requests."), "{hover}");

    for (word, definition) in [
        ("Pool) {", "struct Pool"),
        ("Pool, peers", "struct Pool"),
        ("Peers) ->", "struct Peers"),
        ("ServiceOutput {", "type ServiceOutput"),
        ("http))", "async fn http"),
        ("gossip(Pool", "async fn gossip"),
        ("tell(peers)", "async fn tell"),
    ] {
        let found = server.request("textDocument/definition", &at(&file, word, 1));
        let line = |link: &Value| link["targetSelectionRange"]["start"]["line"].clone();
        let lines: Vec<_> = list(&found).iter().map(line).collect();
        assert_eq!(lines, [json!(position(definition, 0).0)], "{word:?}: {found}");
    }
    server.stop();
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}

/// A place in the source: so many characters after where this text begins.
fn at(file: &str, text: &str, characters: usize) -> Value {
    let (line, column) = position(text, characters);
    json!({ "textDocument": { "uri": file }, "position": { "line": line, "character": column } })
}

fn position(text: &str, characters: usize) -> (usize, usize) {
    let lines = SOURCE.lines().enumerate();
    let mut found = lines.filter_map(|(line, code)| Some((line, code.find(text)? + characters)));
    let place = found.next().unwrap_or_else(|| panic!("no {text:?} in the source"));
    assert!(found.next().is_none(), "{text:?} is in two lines");
    place
}

/// The program, if it runs: where rustup has no such component, it still has a program of that name.
fn rust_analyzer() -> Option<PathBuf> {
    let program = PathBuf::from(std::env::var_os("RUST_ANALYZER").unwrap_or_else(|| "rust-analyzer".into()));
    let version = Command::new(&program).arg("--version").output().ok()?;
    version.status.success().then_some(program)
}

fn has_library_source() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let printed = Command::new(rustc).args(["--print", "sysroot"]).output().expect("rustc can be run");
    let sysroot = String::from_utf8(printed.stdout).expect("a path");
    Path::new(sysroot.trim_end()).join("lib/rustlib/src/rust/library").is_dir()
}

/// A package of its own, which the server may build in.
fn package() -> PathBuf {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("editor");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let canstop = workspace.join("canstop");
    let manifest = format!(
        "[package]\nname = \"editor\"\nedition = \"2024\"\n[workspace]\n[dependencies]\ncanstop = {{ path = {canstop:?} }}\n"
    );
    std::fs::create_dir_all(package.join("src")).expect("a folder can be made");
    std::fs::write(package.join("Cargo.toml"), manifest).expect("a manifest can be written");
    std::fs::write(package.join("src/main.rs"), SOURCE).expect("a source can be written");
    std::fs::copy(workspace.join("Cargo.lock"), package.join("Cargo.lock")).expect("the lock file can be copied");
    package
}
