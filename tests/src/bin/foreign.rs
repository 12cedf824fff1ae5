//! Forks and signal handlers that a program, or a C library in it, sets up without canstop.

use std::time::Duration;

use canstop::Lifecycle;
use canstop_tests::{READY, Signal, scenario};

#[canstop::main(grace = "1s")]
async fn main() {
    let lifecycle = Lifecycle::current();
    match scenario().as_str() {
        "fork-returns" => {
            if fork() {
                return;
            }
        }
        "fork-starts" => {
            if fork() {
                canstop::run().await;
            }
        }
        "fork-is-signalled" => {
            if fork() {
                Signal::Terminate.send_to_self();
                std::thread::sleep(Duration::from_secs(60));
            }
        }
        "replaces-handler" => ignore_interrupts(),
        other => panic!("no scenario {other}"),
    }
    println!("{READY}");
    lifecycle.stopping().await;
}

/// Returns true in the child. The parent waits for the child, and prints how it ended.
#[expect(unsafe_code, reason = "fork has no wrapper in std")]
fn fork() -> bool {
    // SAFETY: the child makes calls that are not safe after a fork; that is the case under test.
    let child = unsafe { libc::fork() };
    if child == 0 {
        return true;
    }
    let mut status = 0;
    // SAFETY: the pointer is that of a local.
    unsafe { libc::waitpid(child, &mut status, 0) };
    if libc::WIFSIGNALED(status) {
        println!("the fork was ended by signal {}", libc::WTERMSIG(status));
    } else {
        println!("the fork exited with {}", libc::WEXITSTATUS(status));
    }
    false
}

#[expect(unsafe_code, reason = "std does not know of signal handlers")]
fn ignore_interrupts() {
    // SAFETY: a signal may always be ignored.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
}
