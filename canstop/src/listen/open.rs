//! The sockets that this process listens on, for a process that takes over, and the wait of a process that does.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;

use super::bind::{Bound, OWNS_FILES};
use super::passed::{Origin, Passed, sockets};

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A listener of the program.
    Listener,
    /// The health endpoint.
    Health,
}

/// A socket on its way from one process to the next.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) purpose: Purpose,
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
    /// It stays open when its listener is dropped.
    pub(crate) is_kept: bool,
    /// The file of a Unix socket that is removed with its listener.
    pub(crate) file: Option<PathBuf>,
}

/// The sockets that this process has bound and not closed, by the number of their registration.
static OPEN: Mutex<Vec<(u64, Handed)>> = Mutex::new(Vec::new());
/// The sockets for the health endpoint that were taken over.
static HEALTH: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());
/// Cancelled when this process may serve. Unset in a process that took over from none.
static SERVES: OnceLock<CancellationToken> = OnceLock::new();

fn open() -> MutexGuard<'static, Vec<(u64, Handed)>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Offers sockets to a process that takes over, until it is dropped.
#[derive(Debug)]
pub(crate) struct Registration(u64);

impl Registration {
    fn of(sockets: Vec<Handed>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        open().extend(sockets.into_iter().map(|socket| (number, socket)));
        Self(number)
    }

    /// Offers a listener's own sockets.
    pub(super) fn listener(name: &str, sockets: &[Bound]) -> io::Result<Self> {
        let handed = |socket: &Bound| {
            let (fd, file) = match socket {
                Bound::Tcp(listener) => (listener.as_fd(), None),
                Bound::Unix { listener, file, .. } => (listener.as_fd(), file.as_ref()),
            };
            let file = file.map(|file| file.path().to_owned());
            handed(Purpose::Listener, name, fd, false, file)
        };
        Ok(Self::of(sockets.iter().map(handed).collect::<io::Result<_>>()?))
    }

    /// Offers the socket of the health endpoint.
    pub(crate) fn health(listener: &TcpListener) -> io::Result<Self> {
        Ok(Self::of(vec![handed(Purpose::Health, "", listener.as_fd(), false, None)?]))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Closed after the lock is released.
        let closed: Vec<_> = open().extract_if(.., |(number, _)| *number == self.0).collect();
        drop(closed);
    }
}

fn handed(
    purpose: Purpose,
    name: &str,
    fd: BorrowedFd<'_>,
    is_kept: bool,
    file: Option<PathBuf>,
) -> io::Result<Handed> {
    Ok(Handed { purpose, name: name.to_owned(), fd: fd.try_clone_to_owned()?, is_kept, file })
}

/// Every socket that this process listens on.
///
/// # Errors
///
/// If the process has no descriptor left.
pub(crate) fn sockets_to_hand_over() -> io::Result<Vec<Handed>> {
    let kept = sockets();
    let kept = kept.iter().map(|Passed { name, fd, is_kept, file, .. }| {
        handed(Purpose::Listener, name, fd.as_fd(), *is_kept, file.clone())
    });
    let mut all = kept.collect::<io::Result<Vec<_>>>()?;
    for (_, Handed { purpose, name, fd, is_kept, file }) in &*open() {
        all.push(handed(*purpose, name, fd.as_fd(), *is_kept, file.clone())?);
    }
    Ok(all)
}

/// Takes the sockets of the process that serves. This one must not serve until [`serve`].
pub(crate) fn inherit(handed: Vec<Handed>) {
    OWNS_FILES.store(false, Ordering::Relaxed);
    SERVES.get_or_init(CancellationToken::new);
    for Handed { purpose, name, fd, is_kept, file } in handed {
        match purpose {
            Purpose::Listener => {
                let origin = Origin::Predecessor;
                sockets().push(Passed { name, fd, origin, is_kept, file, is_taken: false });
            }
            Purpose::Health => HEALTH.lock().unwrap_or_else(PoisonError::into_inner).push(fd),
        }
    }
}

/// The health endpoint's socket for this address, if the process before this one had it.
pub(crate) fn take_health(address: SocketAddr) -> Option<TcpListener> {
    let sockets = std::mem::take(&mut *HEALTH.lock().unwrap_or_else(PoisonError::into_inner));
    let mut listeners = sockets.into_iter().map(TcpListener::from);
    listeners.find(|listener| listener.local_addr().is_ok_and(|local| local == address))
}

/// From now on this process serves.
pub(crate) fn serve() {
    OWNS_FILES.store(true, Ordering::Relaxed);
    if let Some(serves) = SERVES.get() {
        serves.cancel();
    }
}

/// Another process serves on the same sockets from now on.
pub(crate) fn leave_files() {
    OWNS_FILES.store(false, Ordering::Relaxed);
}

/// Cancelled when this process may serve; `None` if it may already.
pub(crate) fn wait_to_serve() -> Option<&'static CancellationToken> {
    SERVES.get().filter(|serves| !serves.is_cancelled())
}

/// Closes the sockets of the process before this one that nothing here has taken, with their files. Returns the names
/// of those that the process manager may have, too.
pub(crate) fn close_unclaimed() -> Vec<String> {
    HEALTH.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let is_unclaimed = |passed: &mut Passed| passed.origin == Origin::Predecessor && !passed.is_taken;
    let unclaimed: Vec<_> = sockets().extract_if(.., is_unclaimed).collect();
    for file in unclaimed.iter().filter_map(|passed| passed.file.as_ref()) {
        // A leftover file is replaced by the next program that listens there.
        let _ = std::fs::remove_file(file);
    }
    unclaimed.into_iter().filter(|passed| passed.is_kept).map(|passed| passed.name).collect()
}
