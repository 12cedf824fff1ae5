//! Forks and signal handlers that a program, or a C library in it, sets up without canstop.

use std::time::Duration;

use canstop::{Lifecycle, spawn_session};
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
        #[cfg(target_os = "linux")]
        "forbids-membarrier" => {
            forbid(libc::SYS_membarrier);
            for _ in 0..100 {
                spawn_session!(async {
                    Lifecycle::current().stopping().await;
                });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
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

/// Takes a system call away from all threads of this process, as a sandbox does once a program is set up.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "seccomp(2) has no wrapper in std")]
fn forbid(call: libc::c_long) {
    let statement = |code: u32, k: u32, jf: u8| libc::sock_filter { code: code as u16, jt: 0, jf, k };
    // The number of the call is the first word of what a filter sees.
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call as u32, 1),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32, 0),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the pointer is that of a local that outlives the call, and so is the filter that it points to.
    let failed = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_TSYNC,
                &raw const program,
            ) != 0
    };
    assert!(!failed, "{}", std::io::Error::last_os_error());
    // SAFETY: the call takes three integers.
    let refused = unsafe { libc::syscall(libc::SYS_membarrier, 0, 0, 0) } == -1;
    println!("refused: {refused}");
}
