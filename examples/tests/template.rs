//! Generates a project from `examples/template`, as `cargo generate` does, and uses it as its owner would: formats,
//! tests and runs it, asks its probes, posts an order and stops it.

#![cfg(unix)]

use std::env;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use canstop_examples::program::{PATIENCE, Program, Signal};
use canstop_examples::{Client, ScratchFolder};

const NAME: &str = "fruit-shop";

#[test]
fn a_generated_project_is_formatted_passes_its_tests_and_stops_well() {
    let project = project();
    generate(&repository().join("examples/template"), &project);
    // Of these versions the workspace has every crate, so nothing is downloaded.
    fs::copy(repository().join("Cargo.lock"), project.join("Cargo.lock")).expect("the workspace has one");

    if has_rustfmt() {
        cargo(&project, &["fmt", "--check"]);
    }
    cargo(&project, &["test", "--offline"]);
    // With the targets of tests, or every crate is compiled again, without what only tests need.
    cargo(&project, &["build", "--offline", "--all-targets"]);
    let program = target().join("debug").join(NAME);
    stops_well(&program);
    names_a_bad_setting(&program);
    fs::remove_dir_all(project).expect("it was made here");
}

/// Where the project goes: outside of this workspace, whose settings would apply below it, and always to the same
/// place, or cargo would keep what it has compiled for each.
fn project() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    repository().hash(&mut hasher);
    let folder = env::temp_dir().join(format!("canstop-template-{:016x}", hasher.finish()));
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("it was left by a test that has failed");
    }
    folder
}

fn stops_well(program: &Path) {
    let folder = ScratchFolder::new_in(env!("CARGO_TARGET_TMPDIR"));
    let health = free_address().to_string();
    let mut program = Program::at(program)
        .env("LISTEN", "127.0.0.1:0")
        .env("DATABASE_URL", format!("sqlite:{}", folder.path().join("orders.db").display()))
        .env("CANSTOP_HEALTH", &health)
        .env("CANSTOP_PLATFORM", "none")
        .start();
    let address = program.address();
    wait_until_ready(&health);

    let mut client = Client::connect(&address).expect("it listens");
    let request = "POST /orders HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: 18\r\n\r\n\
                   {\"item\": \"apples\"}";
    client.send(request.as_bytes()).expect("it reads");
    let answer = client.answer().expect("it answers");
    assert_eq!((answer.status, answer.body.as_str()), (201, r#"{"id":1,"item":"apples"}"#));
    assert_eq!(client.get("/orders/1").expect("it answers").body, r#"{"id":1,"item":"apples"}"#);
    assert_eq!(client.get("/orders/2").expect("it answers").status, 404);

    program.signal(Signal::Terminate);
    let ended = program.wait();
    ended.has_in_order(&["stopping (SIGTERM), within 5 s", "the database is closed", "stopped (SIGTERM)"]);
    // The guard of the log has flushed it.
    let last = ended.stdout.lines().last().unwrap_or_default();
    assert!(last.contains("0 abandoned, exit code 0"), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

fn names_a_bad_setting(program: &Path) {
    let ended = Program::at(program).env("DATABASE_URL", "mysql://localhost/shop").env("CANSTOP_HEALTH", "off").start();
    let ended = ended.wait();
    assert!(ended.stdout.contains("DATABASE_URL"), "{ended}");
    assert_eq!(ended.code, Some(1), "{ended}");
}

/// Copies the template, and puts the project's name in the place of each placeholder, in names of files too.
fn generate(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a test may make folders there");
    for entry in fs::read_dir(from).expect("the template is a folder") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        let place = to.join(fill_in(&name));
        if path.is_dir() {
            generate(&path, &place);
        } else if name != "cargo-generate.toml" {
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            fs::write(place, fill_in(&text)).expect("a test may write there");
        }
    }
}

fn fill_in(text: &str) -> String {
    let filled = text.replace("{{project-name}}", NAME);
    // The template language has braces with per cent signs too.
    for mark in ["{{", "}}", "{%", "%}"] {
        assert!(!filled.contains(mark), "{mark} is left, or is no placeholder:\n{filled}");
    }
    filled
}

/// Runs cargo as the project's owner would, with the crate of this checkout in place of the published one.
#[track_caller]
fn cargo(project: &Path, arguments: &[&str]) {
    let patch = format!("patch.crates-io.canstop.path={:?}", repository().join("canstop").display().to_string());
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(project).args(arguments);
    if arguments[0] != "fmt" {
        // What the workspace has compiled with the same features serves here too, if it is compiled alike.
        command.args(["--config", &patch]);
        command.args(["--config", "profile.dev.debug='line-tables-only'"]);
        command.args(["--config", "profile.dev.package.'*'.debug=false"]);
        command.env("CARGO_TARGET_DIR", target());
    }
    let output = command.output().expect("there is a cargo");
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "cargo {arguments:?} fails:\n{stdout}\n{stderr}");
    if arguments[0] == "test" {
        assert!(
            stdout.contains("test tests::a_stop_finishes_the_order_that_waits_for_the_database ... ok"),
            "{stdout}"
        );
    }
}

fn has_rustfmt() -> bool {
    Command::new("cargo").args(["fmt", "--version"]).output().is_ok_and(|output| output.status.success())
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is a member of the workspace").to_owned()
}

/// The folder in which cargo has built this test.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is a folder in there").to_owned()
}

/// A local address that is free at this moment.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the system has a port");
    listener.local_addr().expect("it is bound")
}

fn wait_until_ready(health: &str) {
    let until = Instant::now() + PATIENCE;
    let readiness = || Some(Client::connect(health).ok()?.get("/readyz").ok()?.status);
    while readiness() != Some(200) {
        assert!(Instant::now() < until, "/readyz never answers with 200");
        std::thread::yield_now();
    }
}
