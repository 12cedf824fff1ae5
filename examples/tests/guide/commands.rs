//! Runs the commands that the pages show, word for word but for an address and a process id. What nothing here runs is
//! listed, with the test that runs it or the reason why none does.

use std::fs;
use std::process::Command;

use canstop_examples::ScratchFolder;
use canstop_examples::program::Program;

use crate::free_address;
use crate::pages::{Page, page, pages, read, repository};
use crate::programs::wait_for;

/// What runs the commands of a page that begin so.
const COMMANDS: &[(&str, &str, RunBy)] = &[
    ("README.md", "cargo add ", RunBy::This("the_readme_adds_what_a_program_needs")),
    ("README.md", "cargo run --release --example tracker", RunBy::This("the_tracker_does_what_the_readme_says")),
    ("README.md", "cargo test --workspace", RunBy::Other(".ci/run", "cargo test --locked --workspace")),
    ("README.md", "curl ", RunBy::This("the_tracker_does_what_the_readme_says")),
    ("README.md", "kill ", RunBy::This("the_tracker_does_what_the_readme_says")),
    ("database.md", "cargo run --example shop", RunBy::This("the_shop_does_what_its_page_says")),
    ("database.md", "curl ", RunBy::This("the_shop_does_what_its_page_says")),
    ("database.md", "kill ", RunBy::This("the_shop_does_what_its_page_says")),
    ("getting-started.md", "cargo generate ", RunBy::Other("examples/tests/template.rs", "fn generate(")),
    (
        "getting-started.md",
        "cargo run --example ticker",
        RunBy::Other("examples/tests/guide/programs.rs", "\"ticker\""),
    ),
    ("operations.md", "#!/bin/sh", RunBy::Other("tests/tests/process/notify.rs", "CANSTOP_READY_FD")),
    ("operations.md", "export CANSTOP_READY_FD=3", RunBy::Other("tests/tests/process/notify.rs", "CANSTOP_READY_FD")),
    ("operations.md", "exec ", RunBy::Other("tests/tests/process/notify.rs", "CANSTOP_READY_FD")),
    (
        "operations.md",
        "CANSTOP_HEALTH=0.0.0.0:9000 ",
        RunBy::Other("tests/managers/tests/balancers/main.rs", "CANSTOP_DRAIN_DELAY"),
    ),
    ("template/README.md", "cargo run", RunBy::Other("examples/tests/template.rs", "fn stops_well(")),
    ("template/README.md", "cargo test", RunBy::Other("examples/tests/template.rs", "\"test\", \"--offline\"")),
    ("template/README.md", "curl ", RunBy::Other("examples/tests/template.rs", "/orders/1")),
    ("template/README.md", "docker ", RunBy::Nothing("it needs a daemon")),
    ("template/README.md", "kill ", RunBy::Other("examples/tests/template.rs", "Signal::Terminate")),
    ("template/README.md", "kubectl ", RunBy::Nothing("it needs a cluster")),
    ("template/README.md", "sudo ", RunBy::Nothing("it installs a program")),
    (
        "tracker/README.md",
        "CANSTOP_RESTARTS=full ",
        RunBy::Other("examples/tests/deployed/restarts.rs", "CANSTOP_RESTARTS"),
    ),
    ("tracker/README.md", "cargo run --release --example tracker", RunBy::Other("README.md", "--example tracker")),
];

enum RunBy {
    /// A test of this file.
    This(&'static str),
    /// What is in this file, beside this text.
    Other(&'static str, &'static str),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

#[test]
fn every_command_of_a_page_is_run_or_has_a_reason() {
    let mut pages = pages();
    for path in
        ["README.md", "docs/operations.md", "examples/template/README.md", "examples/examples/tracker/README.md"]
    {
        pages.push(page(path));
    }
    for name in ["containers.md", "options.md", "stop.md", "without-macros.md"] {
        pages.push(page(&format!("docs/{name}")));
    }
    let mut used = vec![false; COMMANDS.len()];
    for page in &pages {
        for command in commands(page) {
            let known = |(of, begin, _): &(&str, &str, RunBy)| page.path.ends_with(of) && command.starts_with(begin);
            let known: Vec<_> = (0..COMMANDS.len()).filter(|at| known(&COMMANDS[*at])).collect();
            assert!(!known.is_empty(), "no test runs `{command}` of {}, and it is not in `COMMANDS`", page.path);
            known.into_iter().for_each(|at| used[at] = true);
        }
    }
    for ((of, begin, run_by), used) in COMMANDS.iter().zip(used) {
        assert!(used, "{of} has no command `{begin}` any more");
        match run_by {
            RunBy::This(test) => assert!(include_str!("commands.rs").contains(&format!("fn {test}()"))),
            RunBy::Other(file, text) => assert!(read(&repository().join(file)).contains(text), "{file} has no {text}"),
            RunBy::Nothing(reason) => assert!(!reason.is_empty()),
        }
    }
}

#[test]
fn the_tracker_does_what_the_readme_says() {
    let readme = page("README.md");
    let folder = ScratchFolder::new_in(env!("CARGO_TARGET_TMPDIR"));
    let url = format!("sqlite:{}", folder.path().join("tracker.db").display());
    let mut program = Program::new("tracker").env("LISTEN", "127.0.0.1:0").env("DATABASE_URL", &url).start();
    let address = program.address();

    let pid = program.id().to_string();
    let places = [("127.0.0.1:48880", address.as_str()), ("$(pgrep -x tracker)", pid.as_str())];
    let Some(outputs) = run_all(&readme, &["curl ", "kill "], &places) else { return };
    assert!(outputs[0].starts_with(r#"{"id":""#), "{outputs:?}");
    let ended = program.wait();
    let last = ended.stdout.lines().last().unwrap_or_default();
    let quoted = readme.blocks().into_iter().find(|block| block.text.contains("INFO canstop: stopped (SIGTERM)"));
    let quoted = without_numbers(&quoted.expect("the README shows the last line").text);
    assert!(without_numbers(last).contains(&quoted), "the last line is not `{quoted}`:\n{ended}");
    assert!(last.contains("0 abandoned, exit code 0"), "{ended}");
}

#[test]
fn the_shop_does_what_its_page_says() {
    let database = page("canstop/docs/guide/database.md");
    let folder = ScratchFolder::new_in(env!("CARGO_TARGET_TMPDIR"));
    let url = format!("sqlite:{}", folder.path().join("shop.db").display());
    let health = free_address().to_string();
    let program = Program::new("shop").env("LISTEN", "127.0.0.1:0").env("DATABASE_URL", &url);
    let mut program = program.env("CANSTOP_HEALTH", &health).start();
    let address = program.address();
    wait_for(&health, "/readyz", 200);

    let pid = program.id().to_string();
    let places = [("127.0.0.1:8080", &address), ("127.0.0.1:9000", &health), ("$(pgrep -x shop)", &pid)];
    let places = places.map(|(shown, here)| (shown, here.as_str()));
    let Some(outputs) = run_all(&database, &["curl ", "kill "], &places) else { return };
    let shown = "```text\n{\"status\":\"ok\"}\n1\n```";
    assert!(database.text.contains(shown), "the page shows what the commands print");
    assert_eq!(outputs.concat().replace('\n', ""), "{\"status\":\"ok\"}1");
    assert_eq!(program.wait().code, Some(0));
}

#[test]
fn the_readme_adds_what_a_program_needs() {
    // Outside of this workspace, which would take the new package for a member.
    let folder = ScratchFolder::new_in(std::env::temp_dir());
    let project = folder.path().join("shop");
    fs::create_dir_all(project.join("src")).expect("a test may make folders there");
    fs::write(project.join("src/main.rs"), "fn main() {}\n").expect("a test may write there");
    fs::write(project.join("Cargo.toml"), "[package]\nname = \"shop\"\nedition = \"2024\"\n").expect("it may");
    // The versions are those that this workspace has, so nothing is downloaded.
    fs::copy(repository().join("Cargo.lock"), project.join("Cargo.lock")).expect("the workspace has one");
    let checkout = repository().canonicalize().expect("it exists");
    let places = [("../canstop/canstop", &*checkout.join("canstop").display().to_string())];
    let readme = page("README.md");
    for command in commands(&readme).iter().filter(|command| command.starts_with("cargo add ")) {
        let mut command = command.replace("cargo add", "cargo add --offline");
        for (shown, here) in places {
            command = command.replace(shown, here);
        }
        let output =
            Command::new("sh").current_dir(&project).args(["-c", &command]).output().expect("there is a shell");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let manifest = read(&project.join("Cargo.toml"));
    for name in ["anyhow", "canstop", "tokio", "tracing-subscriber"] {
        assert!(manifest.contains(&format!("\n{name} = ")), "{manifest}");
    }
}

/// The commands of a page, without the comments beside them.
fn commands(page: &Page) -> Vec<String> {
    let blocks = page.blocks().into_iter().filter(|block| block.info == "sh");
    let lines: Vec<_> = blocks.flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let commands = lines.iter().map(|line| line.split("   # ").next().unwrap_or_default().to_owned());
    commands.filter(|line| !line.is_empty()).collect()
}

/// Runs the commands of a page that begin so, each with what a page cannot know put in its place, and returns what
/// they have printed. `None` if the system has no curl.
fn run_all(page: &Page, beginnings: &[&str], places: &[(&str, &str)]) -> Option<Vec<String>> {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: this system has no curl");
        return None;
    }
    let all = commands(page);
    let chosen = all.iter().filter(|command| beginnings.iter().any(|begin| command.starts_with(begin)));
    let outputs = chosen.map(|command| {
        let mut here = command.clone();
        for (shown, real) in places {
            here = here.replace(shown, real);
        }
        assert_ne!(here, *command, "it would run against another program");
        let output = Command::new("sh").args(["-c", &here]).output().expect("there is a shell");
        assert!(output.status.success(), "{here}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    });
    Some(outputs.collect())
}

/// A text without its digits, which differ from run to run.
fn without_numbers(text: &str) -> String {
    text.replace(|c: char| c.is_ascii_digit() || c == '.', "")
}
