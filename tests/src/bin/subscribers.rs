//! Programs whose subscriber or stderr is stuck, and one where both work. Each has an endless session to report.

use std::future::pending;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use canstop::{Lifecycle, spawn_session};
use canstop_tests::{READY, scenario};

/// The lock that the stuck worker holds and the stuck subscriber waits for.
static LOG: Mutex<()> = Mutex::new(());

struct LockedLog;

impl io::Write for LockedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _held = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        io::stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

#[canstop::main(grace = "1s")]
async fn main() {
    let lifecycle = Lifecycle::current();
    match scenario().as_str() {
        "well" => {
            tracing_subscriber::fmt().with_ansi(false).init();
            spawn_session!(pending::<()>());
            println!("{READY}");
        }
        "holds-the-lock" => {
            tracing_subscriber::fmt().with_writer(|| LockedLog).init();
            spawn_session!(async {
                let _held = LOG.lock();
                println!("{READY}");
                thread::sleep(Duration::from_secs(60));
            });
        }
        "fills-stderr" => {
            spawn_session!(pending::<()>());
            println!("{READY}");
            thread::spawn(|| {
                loop {
                    eprintln!("a line without a reader");
                }
            });
        }
        other => panic!("no scenario {other}"),
    }
    lifecycle.stopping().await;
}
