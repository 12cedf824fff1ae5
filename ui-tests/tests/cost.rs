//! What canstop costs at compile time. It measures, so it runs only when it is asked for:
//! `cargo test -p canstop-ui-tests --test cost -- --ignored --nocapture`.
//!
//! All times are the processors', as they pass on one core that has nothing else to do.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

/// How many services or sessions a generated package has.
const MANY: u32 = 200;
/// How often each is timed; the least counts, for what else the machine does only adds.
const RUNS: usize = 5;
/// What one service or one session site may add to `cargo check`.
const BOUND: Duration = Duration::from_millis(6);

const TOKIO_AND_TRACING: &str = r#"
    tokio = { version = "1", features = ["macros", "rt-multi-thread", "signal", "sync", "test-util", "time"] }
    tracing = "0.1"
"#;

#[test]
#[ignore = "it takes minutes, and measures nothing where something else runs"]
fn a_service_or_a_session_adds_at_most_6_ms_to_cargo_check_and_canstop_few_crates() {
    let canstop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../canstop");
    let with_canstop = format!("{TOKIO_AND_TRACING}\ncanstop = {{ path = {canstop:?} }}");
    let bare = Package::new("bare", TOKIO_AND_TRACING);
    let full = Package::new("full", &with_canstop);

    let (without, with) = (bare.crates(), full.crates());
    let added: Vec<_> = with.difference(&without).collect();
    println!("crates: {} with tokio and tracing alone, {} more with canstop: {added:?}", without.len(), added.len());
    for command in ["check", "build"] {
        let (without, with) = (bare.cold(command), full.cold(command));
        println!("`cargo {command}` from nothing: {without:.1?} with tokio and tracing alone, {with:.1?} with canstop");
    }

    full.write("");
    let empty = full.check();
    for (what, code) in [("service", service as fn(u32) -> String), ("session", session)] {
        full.write(&(0..MANY).map(code).collect::<String>());
        let each = full.check().saturating_sub(empty) / MANY;
        println!("`cargo check` for each {what}: {each:.2?}");
        assert!(each <= BOUND, "{each:?} for each {what}");
    }
}

fn service(number: u32) -> String {
    format!(
        "#[canstop::service(grace = \"2s\")]
        pub async fn service_{number}(lifecycle: canstop::Lifecycle, count: u32) -> Result<(), std::io::Error> {{
            lifecycle.stopping().await;
            println!(\"{{count}}\");
            Ok(())
        }}\n"
    )
}

fn session(number: u32) -> String {
    format!(
        "pub fn session_{number}(count: u32) {{
            canstop::spawn_session!(async move {{
                tokio::task::yield_now().await;
                println!(\"{{count}}\");
            }});
        }}\n"
    )
}

/// A package that is made for this, with a target folder of its own.
struct Package {
    folder: PathBuf,
}

impl Package {
    fn new(name: &str, dependencies: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cost").join(name);
        fs::create_dir_all(folder.join("src")).expect("a folder can be made");
        let mut manifest = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n");
        let _ = write!(manifest, "{dependencies}");
        fs::write(folder.join("Cargo.toml"), manifest).expect("a manifest can be written");
        // The versions that the workspace has.
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        fs::copy(lock, folder.join("Cargo.lock")).expect("the lock file can be copied");
        let package = Self { folder };
        package.write("");
        package
    }

    fn write(&self, code: &str) {
        fs::write(self.folder.join("src/lib.rs"), code).expect("a source can be written");
    }

    fn cargo(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env("CARGO_INCREMENTAL", "0")
            .env_remove("RUSTFLAGS")
            .output()
            .expect("cargo can be run");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Everything that is compiled, by name and version.
    fn crates(&self) -> BTreeSet<String> {
        let tree = self.cargo(&["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
        let words = tree.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
        words.filter(|name| !name.starts_with("bare ") && !name.starts_with("full ")).collect()
    }

    /// A first build, from nothing but the downloaded sources.
    fn cold(&self, command: &str) -> Duration {
        self.cargo(&["fetch"]);
        self.cargo(&["clean"]);
        let began = processor_time();
        self.cargo(&[command]);
        processor_time() - began
    }

    /// A check of this package alone.
    fn check(&self) -> Duration {
        self.cargo(&["check"]);
        let run = || {
            let source = fs::File::options().append(true).open(self.folder.join("src/lib.rs")).expect("it was written");
            source.set_modified(SystemTime::now()).expect("a file can be touched");
            let began = processor_time();
            self.cargo(&["check"]);
            processor_time() - began
        };
        (0..RUNS).map(|_| run()).min().expect("some runs")
    }
}

/// What all commands that have ended took of the processors, which does not depend on how busy they
/// are. Where the system does not tell it so simply, the time that passed.
fn processor_time() -> Duration {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    // The fields that follow the name in parentheses; two of them are hundredths of a second, in user
    // and in system code.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let hundredths = |field: usize| fields.get(field).and_then(|field| field.parse::<u64>().ok());
    match (hundredths(13), hundredths(14)) {
        (Some(user), Some(system)) => Duration::from_millis(10 * (user + system)),
        _ => BEGAN.elapsed(),
    }
}
