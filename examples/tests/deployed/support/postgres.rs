//! A PostgreSQL server for one test.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::place::TestDatabase;

/// Where Debian installs PostgreSQL's programs, not all of which are in `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";
/// If set to `required`, tests that need PostgreSQL fail where it is not installed.
const REQUIRED: &str = "CANSTOP_POSTGRES";
/// PostgreSQL refuses to run as root, so it runs as this user, which Debian's package creates.
const USER: &str = "postgres";

/// A server on its own port of the loopback interface, with its data in a temporary folder. It is stopped when
/// dropped.
pub(crate) struct Server {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

/// How to stop a server.
#[derive(Clone, Copy)]
pub(crate) enum Shutdown {
    /// It closes its connections first.
    Fast,
    /// It ends as in a crash.
    Immediate,
}

impl Server {
    /// Creates and starts a server. Prints a line and returns `None` if PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = find_programs() else {
            let required = std::env::var_os(REQUIRED).is_some_and(|value| value == "required");
            assert!(!required, "{REQUIRED}=required, and no PostgreSQL is installed; apt-get install postgresql");
            println!("SKIPPED: no PostgreSQL is installed; apt-get install postgresql");
            return None;
        };
        let server = Self { programs, folder: own_folder(), port: free_port() };
        let data = server.data();
        let no_password = ["--auth=trust", "--username=tracker", "--encoding=UTF8", "--locale=C", "--no-sync"];
        server.run("initdb", &["-D", &data], &no_password);
        server.start_again();
        Some(server)
    }

    /// Starts the stopped server again, and waits until it answers.
    pub(crate) fn start_again(&self) {
        let (folder, port) = (self.folder.display(), self.port);
        let options = format!("-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}");
        let log = self.folder.join("log").display().to_string();
        self.run("pg_ctl", &["start", "-w", "-D", &self.data()], &["-l", &log, "-o", &options]);
    }

    /// Stops the server, and waits until it has ended.
    pub(crate) fn stop(&self, shutdown: Shutdown) {
        let mode = match shutdown {
            Shutdown::Fast => "fast",
            Shutdown::Immediate => "immediate",
        };
        self.run("pg_ctl", &["stop", "-w", "-D", &self.data()], &["-m", mode]);
    }

    /// Its database.
    pub(crate) fn place(&self) -> TestDatabase {
        TestDatabase::postgresql(format!("postgres://tracker@127.0.0.1:{}/postgres", self.port))
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str], more: &[&str]) {
        let output = self.command(program).args(arguments).args(more).stdout(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
        if !output.status.success() {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            panic!("{program}: {}\n{log}", String::from_utf8_lossy(&output.stderr));
        }
    }

    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.arg(format!("--reuid={USER}")).arg(format!("--regid={USER}")).arg("--clear-groups").arg(program);
            command
        } else {
            Command::new(program)
        };
        // The server's user may not enter the folder of the tests.
        command.current_dir("/").stdin(Stdio::null());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // This fails if the test has stopped the server, which is fine.
        let stop = ["stop", "-w", "-m", "immediate", "-D", &self.data()];
        let _ = self.command("pg_ctl").args(stop).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn find_programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = Path::new(DEBIAN).read_dir().into_iter().flatten().filter_map(Result::ok);
    let folders = std::env::split_paths(&path).chain(versions.map(|version| version.path().join("bin")));
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}

/// A folder that the server's user may write to. Its path is short, as a socket's path must be.
fn own_folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("canstop-postgres-{}-{number}", std::process::id()));
    fs::create_dir(&folder).expect("a test may make folders there");
    if is_root() {
        let status = Command::new("chown").arg(USER).arg(&folder).status().expect("there is a `chown`");
        assert!(status.success(), "no user {USER}: Debian's package postgresql makes it");
    }
    folder
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("there is an `id`");
    id.stdout == b"0\n"
}

/// A free port. If another process takes it before the server does, the test fails.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the system has a port");
    listener.local_addr().expect("it has an address").port()
}
