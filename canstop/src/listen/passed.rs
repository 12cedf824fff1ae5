//! Sockets that the process manager passes: the protocol of `sd_listen_fds(3)`.

use std::collections::HashSet;
use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::address::Address;
use super::bind::Bound;

/// The first passed descriptor, by the protocol.
const FIRST: RawFd = 3;
/// systemd's name for a socket whose unit gives it none.
const UNNAMED: &str = "unknown";

/// A passed descriptor. It is kept, so that a restarted service gets it again.
struct Passed {
    name: String,
    fd: OwnedFd,
}

/// The passed descriptors, and the names of those that were taken.
struct Sockets {
    passed: Vec<Passed>,
    taken: HashSet<usize>,
}

fn sockets() -> std::sync::MutexGuard<'static, Sockets> {
    static SOCKETS: OnceLock<Mutex<Sockets>> = OnceLock::new();
    let read = || Mutex::new(Sockets { passed: read_environment(), taken: HashSet::new() });
    SOCKETS.get_or_init(read).lock().unwrap_or_else(PoisonError::into_inner)
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
            Ok(fd) => passed.push(Passed { name, fd }),
            Err(error) => {
                tracing::warn!(target: "canstop", "LISTEN_FDS names descriptor {fd} (`{name}`), which is not open: {error}");
            }
        }
    }
    passed
}

/// Takes ownership of a descriptor, and makes it close-on-exec.
#[expect(unsafe_code, reason = "the process manager passes numbers")]
fn own(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: `fcntl` with these commands reads and sets a flag of the descriptor, if it is open.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, flags | libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and LISTEN_PID shows that it was passed to this process for this use. The environment is
    // read once, so it has one owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[expect(unsafe_code, reason = "std has no such socket option")]
fn option(fd: &OwnedFd, option: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut size = libc::socklen_t::try_from(size_of::<libc::c_int>()).expect("four fits");
    // SAFETY: both pointers are to locals of the sizes that are given, which the call fills.
    let result =
        unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, option, (&raw mut value).cast(), &raw mut size) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
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

/// The passed sockets of this name, or without names those of these addresses; `None` if there are none.
pub(super) fn take(name: &str, addresses: &[Address]) -> io::Result<Option<Vec<Bound>>> {
    let mut sockets = sockets();
    let Sockets { passed, taken } = &mut *sockets;
    let mut bound = Vec::new();
    for (number, Passed { name: passed_name, fd }) in passed.iter().enumerate() {
        let is_named = passed_name == name;
        if !is_named && passed_name != UNNAMED && !passed_name.ends_with(".socket") {
            continue;
        }
        let local = local(fd)?;
        let fits = addresses.iter().any(|address| fits(&local, address));
        if !fits && !is_named {
            continue;
        }
        if !fits {
            let asked: Vec<_> = addresses.iter().map(Address::to_string).collect();
            let text = format!(
                "the socket that the process manager passes under this name {}, and the program asks for {}; change one of \
                 them",
                describe(&local),
                asked.join(", ")
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let fd = fd.try_clone()?;
        bound.push(match local {
            Local::Tcp(_) => {
                let listener = TcpListener::from(fd);
                listener.set_nonblocking(true)?;
                Bound::Tcp(listener)
            }
            Local::Unix(path) => {
                let listener = UnixListener::from(fd);
                listener.set_nonblocking(true)?;
                // Its file belongs to the process manager.
                Bound::Unix { listener, path: path.unwrap_or_default(), file: None }
            }
            Local::Other(_) => continue,
        });
        taken.insert(number);
    }
    Ok((!bound.is_empty()).then_some(bound))
}

/// The names of the passed sockets that no listener has taken.
pub(crate) fn unclaimed() -> Vec<String> {
    let sockets = sockets();
    let untaken = sockets.passed.iter().enumerate().filter(|(number, _)| !sockets.taken.contains(number));
    untaken.map(|(_, passed)| passed.name.clone()).collect()
}
