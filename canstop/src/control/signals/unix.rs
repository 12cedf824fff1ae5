//! `SIGINT`, `SIGTERM` and `SIGHUP`, with the time of their delivery.
//!
//! Not `SIGQUIT`, which asks for a core dump.
//!
//! tokio's signal streams say neither when a signal was delivered nor who sent it, so the handler here
//! writes both into [`MAILBOX`] and wakes the thread that waits in [`Waiter::wait`]. It is installed by
//! the registry that tokio uses, too, so that a program may still listen by `tokio::signal`.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use signal_hook_registry::register_sigaction;
use tokio::time::Instant;

use super::Delivery;
use crate::machine::Signal;

const SIGNALS: [Signal; 3] = [Signal::Interrupt, Signal::Terminate, Signal::Hangup];

/// How many signals wait to be read before the latest one replaces the one before it.
const ROOM: usize = 16;

/// Signals that were delivered and not read yet, as [`pack`] packs them; 0 is a free place.
///
/// Relaxed is enough: each place is one word, and the descriptor's read and write order the rest.
static MAILBOX: [AtomicU64; ROOM] = [const { AtomicU64::new(0) }; ROOM];

/// The descriptor by which the handler wakes the waiter; -1 before there is one.
static WAKE_BY: AtomicI32 = AtomicI32::new(-1);

/// The process that has installed the handlers. A fork inherits them, but not the thread that reads.
static OWNER: AtomicI32 = AtomicI32::new(0);

/// The address of the registry's handler for each signal, 0 where none is installed.
static INSTALLED: [AtomicUsize; SIGNALS.len()] = [const { AtomicUsize::new(0) }; SIGNALS.len()];

const ORPHANED: &str = "canstop: this process was forked from a program under supervision and has no supervisor of its \
                        own: it ends by the signal; call `exec` after `fork`, or fork before `App::run`\n";

fn number(signal: Signal) -> libc::c_int {
    signal.number().into()
}

/// A signal, its sender and its time, in one word that is not 0.
fn pack(index: usize, from_terminal: bool, at: u64) -> u64 {
    at << 3 | u64::from(from_terminal) << 2 | (index as u64 + 1)
}

fn unpack(word: u64) -> Option<(Signal, bool, u64)> {
    let signal = SIGNALS.get((word & 3).checked_sub(1)? as usize)?;
    Some((*signal, word & 4 != 0, word >> 3))
}

/// Nanoseconds of the monotonic clock. Safe in a signal handler.
#[expect(unsafe_code, reason = "std's clock is not documented to be safe in a signal handler, this call is")]
fn monotonic() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is that of a local of the right type.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_from_terminal(info: &libc::siginfo_t) -> bool {
    // The terminal driver's signals are the only ones of these that the kernel itself sends.
    info.si_code == libc::SI_KERNEL
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_from_terminal(_: &libc::siginfo_t) -> bool {
    false
}

/// The handler. It touches atomics only and makes system calls that are safe in a handler.
#[expect(unsafe_code, reason = "a signal handler may only make system calls")]
fn deliver(index: usize, info: &libc::siginfo_t) {
    // SAFETY: `getpid` has no precondition.
    if unsafe { libc::getpid() } != OWNER.load(Ordering::Relaxed) {
        // SAFETY: the text outlives the call, and the default action of a signal may always be restored. The
        // signal is blocked while its handler runs, so it ends this process when the handler returns.
        unsafe {
            libc::write(libc::STDERR_FILENO, ORPHANED.as_ptr().cast(), ORPHANED.len());
            libc::signal(number(SIGNALS[index]), libc::SIG_DFL);
            libc::raise(number(SIGNALS[index]));
        }
        return;
    }
    let word = pack(index, is_from_terminal(info), monotonic());
    let is_taken = |place: &AtomicU64| place.compare_exchange(0, word, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    if !MAILBOX.iter().any(is_taken) {
        // The first signals count, and the latest one: those between them say nothing new.
        MAILBOX[ROOM - 1].store(word, Ordering::Relaxed);
    }
    wake();
}

/// Wakes the waiter. Safe in a signal handler.
#[expect(unsafe_code, reason = "a signal handler may only make system calls")]
fn wake() {
    let one = 1_u64;
    // SAFETY: the pointer and the length are those of a local. If the descriptor is full, the waiter is awake.
    unsafe { libc::write(WAKE_BY.load(Ordering::Relaxed), ptr::from_ref(&one).cast(), size_of::<u64>()) };
}

/// What a thread waits by for signals. There is one per process, since signals are the process's.
#[derive(Debug)]
pub(in crate::control) struct Waiter {
    reader: libc::c_int,
}

impl Waiter {
    /// Prepares the descriptor, before there is a handler.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left.
    pub(in crate::control) fn new() -> io::Result<Self> {
        let [reader, writer] = wake_descriptors()?;
        OWNER.store(std::process::id() as i32, Ordering::Relaxed);
        WAKE_BY.store(writer, Ordering::Relaxed);
        Ok(Self { reader })
    }

    /// Is this the process that has prepared the descriptor, and not a fork of it?
    pub(in crate::control) fn is_at_home() -> bool {
        OWNER.load(Ordering::Relaxed) == std::process::id() as i32
    }

    /// Installs the handlers: from here on none of these signals ends the process by itself. What the parent
    /// blocked is unblocked on this thread and those that it starts; `SIGINT` and `SIGHUP` that it ignored
    /// stay ignored, as under `nohup`.
    ///
    /// # Errors
    ///
    /// If the system refuses a handler.
    pub(in crate::control) fn listen() -> io::Result<()> {
        // In a process each handler is installed once, also if an earlier call failed halfway.
        static INSTALLING: Mutex<()> = Mutex::new(());
        let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, signal) in SIGNALS.into_iter().enumerate() {
            if INSTALLED[index].load(Ordering::Relaxed) != 0 {
                continue;
            }
            if signal != Signal::Terminate && handler_of(signal)? == libc::SIG_IGN {
                continue;
            }
            #[expect(unsafe_code, reason = "the handler must be safe where signals are handled")]
            // SAFETY: it touches atomics only, and makes only calls that are safe in a handler.
            unsafe {
                register_sigaction(number(signal), move |info| deliver(index, info))?;
            }
            INSTALLED[index].store(handler_of(signal)?, Ordering::Relaxed);
        }
        let installed = SIGNALS.into_iter().zip(&INSTALLED);
        unblock(
            installed.filter(|(_, installed)| installed.load(Ordering::Relaxed) != 0).map(|(signal, _)| number(signal)),
        )
    }

    /// Waits until a signal is delivered, [`nudge`](Self::nudge) is called, or this time is over.
    #[expect(unsafe_code, reason = "std has no wait for a descriptor with a limit")]
    pub(in crate::control) fn wait(&self, limit: Option<Duration>) {
        // Rounded up, or the last part of a millisecond is spun through.
        let limit =
            limit.map_or(-1, |limit| libc::c_int::try_from(limit.as_micros().div_ceil(1_000)).unwrap_or(60_000));
        let mut readable = libc::pollfd { fd: self.reader, events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is that of one local, as the length says.
        let ready = unsafe { libc::poll(&mut readable, 1, limit) };
        if ready > 0 {
            let mut bytes = [0_u8; 64];
            // SAFETY: the pointer and the length are those of a local; the descriptor does not block.
            unsafe { libc::read(self.reader, bytes.as_mut_ptr().cast(), bytes.len()) };
        }
    }

    /// Lets [`wait`](Self::wait) return.
    pub(in crate::control) fn nudge() {
        wake();
    }

    /// What was delivered since the last call, in its order.
    pub(in crate::control) fn take() -> Vec<Delivery> {
        let words = MAILBOX.iter().map(|place| place.swap(0, Ordering::Relaxed));
        let mut delivered: Vec<_> = words.filter_map(unpack).collect();
        delivered.sort_by_key(|&(.., at)| at);
        let (now, now_at) = (Instant::now(), monotonic());
        let delivery = |(signal, from_terminal, at)| {
            let ago = Duration::from_nanos(now_at.saturating_sub(at));
            Delivery { signal, at: now.checked_sub(ago).unwrap_or(now), from_terminal }
        };
        delivered.into_iter().map(delivery).collect()
    }
}

/// Returns a signal whose handler was replaced since, if there is one: it no longer stops the program.
pub(in crate::control) fn replaced_handler() -> Option<Signal> {
    let mut installed = SIGNALS.into_iter().zip(&INSTALLED);
    let is_replaced = |&(signal, installed): &(Signal, &AtomicUsize)| {
        let installed = installed.load(Ordering::Relaxed);
        installed != 0 && handler_of(signal).is_ok_and(|handler| handler != installed)
    };
    installed.find(is_replaced).map(|(signal, _)| signal)
}

/// The address of what handles a signal now.
#[expect(unsafe_code, reason = "std does not know of signal handlers")]
fn handler_of(signal: Signal) -> io::Result<libc::sighandler_t> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call only writes the present one to the pointer, which is valid.
    match unsafe { libc::sigaction(number(signal), ptr::null(), action.as_mut_ptr()) } {
        // SAFETY: a structure of integers, and it was written.
        0 => Ok(unsafe { action.assume_init() }.sa_sigaction),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Unblocks signals that have a handler, on the thread that calls it.
#[expect(unsafe_code, reason = "std does not know of signal masks")]
pub(in crate::control) fn unblock(signals: impl IntoIterator<Item = libc::c_int>) -> io::Result<()> {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the pointer is valid, and `sigemptyset` initialises the set before the other calls read it.
    let failed = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut())
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failed)) }
}

/// The ends for reading and for writing, neither of which blocks or is inherited by another program.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[expect(unsafe_code, reason = "eventfd(2) has no wrapper in std")]
fn wake_descriptors() -> io::Result<[libc::c_int; 2]> {
    // SAFETY: the call takes two integers.
    match unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) } {
        -1 => Err(io::Error::last_os_error()),
        descriptor => Ok([descriptor; 2]),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(unsafe_code, reason = "std's pipe blocks, and fcntl(2) has no wrapper in std")]
fn wake_descriptors() -> io::Result<[libc::c_int; 2]> {
    let mut ends = [0; 2];
    // SAFETY: the pointer is that of an array of two.
    if unsafe { libc::pipe(ends.as_mut_ptr()) } == -1 {
        return Err(io::Error::last_os_error());
    }
    for end in ends {
        // SAFETY: the descriptor was opened just now, and the commands take integers.
        let failed = unsafe {
            libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) == -1
                || libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK) == -1
        };
        if failed {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_signal_comes_back_as_it_was() {
        for (index, signal) in SIGNALS.into_iter().enumerate() {
            for from_terminal in [false, true] {
                let at = monotonic();
                assert_eq!(unpack(pack(index, from_terminal, at)), Some((signal, from_terminal, at)));
            }
        }
        assert_eq!(unpack(0), None);
    }
}
