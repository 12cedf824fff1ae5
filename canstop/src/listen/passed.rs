//! Sockets that this process got from another one: from the process manager by the protocol of `sd_listen_fds(3)`,
//! or from the process of this program that served before.

use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::address::Address;
use super::bind::{Bound, SocketFile};
use super::kernel::option;

/// The first passed descriptor, by the protocol.
const FIRST: RawFd = 3;
/// systemd's name for a socket whose unit gives it none.
const UNNAMED: &str = "unknown";

/// Where a socket comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "handover"), allow(dead_code, reason = "no process is a predecessor"))]
pub(crate) enum Origin {
    /// The process manager has it, too: it is of a socket unit, or this process or an earlier one has stored it there.
    Manager,
    /// The process that served before passed it.
    Predecessor,
}

/// A socket that is there before a listener asks for it.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
    pub(crate) origin: Origin,
    /// It stays open when its listener is dropped, so that a restarted service gets it again. Otherwise it becomes the
    /// listener's, as if that had bound it.
    pub(crate) is_kept: bool,
    /// The file of a Unix socket that is removed with its listener.
    pub(crate) file: Option<PathBuf>,
    /// A listener has taken it.
    pub(crate) is_taken: bool,
}

/// Whether the process manager stores sockets, so that what it passes may be what an earlier process has bound.
pub(super) static STORES: AtomicBool = AtomicBool::new(false);

/// All of them.
pub(super) fn sockets() -> MutexGuard<'static, Vec<Passed>> {
    static SOCKETS: OnceLock<Mutex<Vec<Passed>>> = OnceLock::new();
    SOCKETS.get_or_init(|| Mutex::new(read_environment())).lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_environment() -> Vec<Passed> {
    let number = |name| env::var(name).ok()?.parse::<u32>().ok();
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Vec::new();
    }
    let count = number("LISTEN_FDS").and_then(|count| RawFd::try_from(count).ok()).unwrap_or(0);
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').map(str::to_owned);
    let mut passed = Vec::new();
    for fd in FIRST..FIRST.saturating_add(count) {
        let name = names.next().filter(|name| !name.is_empty()).unwrap_or_else(|| UNNAMED.to_owned());
        match own(fd) {
            Ok(fd) => {
                let origin = Origin::Manager;
                passed.push(Passed { name, fd, origin, is_kept: true, file: None, is_taken: false });
            }
            Err(error) => {
                tracing::warn!(target: "canstop", "LISTEN_FDS names descriptor {fd} (`{name}`), which is not open: {error}");
            }
        }
    }
    passed
}

/// Takes ownership of a descriptor, and makes it close-on-exec.
#[expect(unsafe_code, reason = "the environment names descriptors by their numbers")]
pub(crate) fn own(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: `fcntl` with these commands reads and sets a flag of the descriptor, if it is open.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, flags | libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and the pid beside it in the environment shows that it was passed to this process for this
    // use. The environment is read once, so it has one owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The address of a passed socket.
enum Local {
    Tcp(SocketAddr),
    Unix(Option<PathBuf>),
    /// It is no listening stream socket.
    Other(&'static str),
}

fn local(fd: &OwnedFd) -> io::Result<Local> {
    match (option(fd, libc::SO_TYPE), option(fd, libc::SO_ACCEPTCONN)) {
        (Err(_), _) => return Ok(Local::Other("is no socket")),
        (Ok(libc::SOCK_STREAM), Ok(1)) => {}
        (Ok(libc::SOCK_STREAM), _) => return Ok(Local::Other("does not listen; is `Accept=yes` set?")),
        _ => return Ok(Local::Other("is no stream socket")),
    }
    let fd = fd.as_fd().try_clone_to_owned()?;
    let fd = match TcpListener::from(fd) {
        listener if listener.local_addr().is_ok() => return Ok(Local::Tcp(listener.local_addr()?)),
        other => OwnedFd::from(other),
    };
    match UnixListener::from(fd).local_addr() {
        Ok(address) => Ok(Local::Unix(address.as_pathname().map(ToOwned::to_owned))),
        Err(_) => Ok(Local::Other("is of neither TCP nor Unix")),
    }
}

/// Returns true if a socket matches the requested address. The process manager's address may be more or less general.
fn fits(local: &Local, address: &Address) -> bool {
    match (local, address) {
        (Local::Tcp(local), Address::Tcp(asked)) => {
            let any = local.ip().is_unspecified() || asked.ip().is_unspecified();
            (asked.port() == 0 || local.port() == asked.port()) && (any || local.ip() == asked.ip())
        }
        (Local::Tcp(local), Address::Host(host)) => {
            let port = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            port == Some(0) || port == Some(local.port())
        }
        (Local::Unix(local), Address::Unix(asked)) => local.as_ref().is_none_or(|local| local == asked),
        _ => false,
    }
}

fn describe(local: &Local) -> String {
    match local {
        Local::Tcp(address) => format!("listens on {address}"),
        Local::Unix(Some(path)) => format!("listens on unix:{}", path.display()),
        Local::Unix(None) => "listens on an abstract Unix socket".to_owned(),
        Local::Other(what) => (*what).to_owned(),
    }
}

/// The sockets that are there for a listener.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Those that stay open when the listener is dropped.
    pub(super) kept: Vec<Bound>,
    /// Those that are the listener's own.
    pub(super) own: Vec<Bound>,
    /// The addresses that are still to be bound.
    pub(super) missing: Vec<Address>,
    /// The process manager stores a socket of this name that is for another address.
    pub(super) is_outdated: bool,
}

/// Takes the sockets of this name, or without names those of these addresses.
///
/// # Errors
///
/// If the process manager passes a socket of this name that does not match.
pub(super) fn take(name: &str, addresses: &[Address]) -> io::Result<Taken> {
    let stores = STORES.load(Ordering::Relaxed);
    let mut sockets = sockets();
    let mut taken = Taken::default();
    let mut is_found = vec![false; addresses.len()];
    // A socket unit says where the program listens; what was bound before is only reused.
    let mut is_of_unit = false;
    // Those with the name come first: one of another name is only taken for an address that they lack.
    for by_name in [true, false] {
        let mut number = 0;
        while let Some(passed) = sockets.get(number) {
            number += 1;
            if by_name != (passed.name == name) || !by_name && !passed.goes_by_address() {
                continue;
            }
            let local = local(&passed.fd)?;
            let fitting: Vec<_> = (0..addresses.len()).filter(|&at| fits(&local, &addresses[at])).collect();
            let is_new = fitting.iter().any(|&at| !is_found[at]);
            if fitting.is_empty() && by_name && passed.is_kept {
                if passed.origin == Origin::Manager && !stores {
                    return Err(unsuitable(&local, addresses));
                }
                // An earlier process had another address in its configuration.
                taken.is_outdated |= !passed.is_taken;
            }
            if fitting.is_empty() || !by_name && passed.origin == Origin::Predecessor && !is_new {
                continue;
            }
            fitting.iter().for_each(|&at| is_found[at] = true);
            is_of_unit |= passed.origin == Origin::Manager && !stores;
            if passed.is_kept {
                let passed = &mut sockets[number - 1];
                passed.is_taken = true;
                taken.kept.extend(bound(passed.fd.try_clone()?, local, None)?);
            } else {
                number -= 1;
                let Passed { fd, file, .. } = sockets.remove(number);
                taken.own.extend(bound(fd, local, file)?);
            }
        }
    }
    if taken.is_outdated {
        sockets.retain(|passed| passed.name != name || passed.is_taken);
    }
    let missing = addresses.iter().zip(&is_found).filter(|&(_, is_found)| !is_of_unit && !is_found);
    taken.missing = missing.map(|(address, _)| address.clone()).collect();
    Ok(taken)
}

impl Passed {
    /// Its name says nothing about which listener it is for.
    fn goes_by_address(&self) -> bool {
        self.origin == Origin::Predecessor || self.name == UNNAMED || self.name.ends_with(".socket")
    }
}

fn unsuitable(local: &Local, addresses: &[Address]) -> io::Error {
    let asked: Vec<_> = addresses.iter().map(Address::to_string).collect();
    let text = format!(
        "the socket that the process manager passes under this name {}, and the program asks for {}; change one of them",
        describe(local),
        asked.join(", ")
    );
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Makes a socket ready for a listener.
fn bound(fd: OwnedFd, local: Local, file: Option<PathBuf>) -> io::Result<Option<Bound>> {
    Ok(match local {
        Local::Tcp(_) => {
            let listener = TcpListener::from(fd);
            listener.set_nonblocking(true)?;
            Some(Bound::Tcp(listener))
        }
        Local::Unix(path) => {
            let listener = UnixListener::from(fd);
            listener.set_nonblocking(true)?;
            // Without one, the file belongs to the process manager.
            let file = file.map(SocketFile::at).transpose()?;
            Some(Bound::Unix { listener, path: path.unwrap_or_default(), file })
        }
        Local::Other(_) => None,
    })
}

/// The names of the sockets of the process manager that no listener has taken.
pub(crate) fn unclaimed() -> Vec<String> {
    let sockets = sockets();
    let untaken = sockets.iter().filter(|passed| passed.origin == Origin::Manager && !passed.is_taken);
    untaken.map(|passed| passed.name.clone()).collect()
}
