//! Binding sockets, with errors that say what to do.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::{Path, PathBuf};
#[cfg(all(unix, feature = "handover"))]
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpSocket, lookup_host};

use super::address::Address;

/// How many completed connections may wait in the kernel. The system may lower it to its own limit.
pub(super) const BACKLOG: u32 = 1024;

/// A listening socket, non-blocking.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix {
        listener: std::os::unix::net::UnixListener,
        path: PathBuf,
        /// The file, if this process made it.
        file: Option<SocketFile>,
    },
}

/// Adds the listener's name to an error.
pub(super) fn named(name: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("listener `{name}`: {error}"))
}

/// Binds every address, or none.
pub(super) async fn bind(addresses: &[Address]) -> io::Result<Vec<Bound>> {
    let mut bound = Vec::new();
    for address in addresses {
        match address {
            Address::Tcp(socket) => bound.push(Bound::Tcp(bind_tcp(*socket).map_err(|e| explain(address, e))?)),
            Address::Host(host) => bound.push(Bound::Tcp(bind_host(address, host).await?)),
            #[cfg(unix)]
            Address::Unix(path) => bound.push(bind_unix(path).await.map_err(|e| explain(address, e))?),
            #[cfg(not(unix))]
            Address::Unix(_) => {
                let error = io::Error::new(io::ErrorKind::Unsupported, "there are no Unix sockets on this system");
                return Err(explain(address, error));
            }
        }
    }
    Ok(bound)
}

fn bind_tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // On Windows this option would let two programs bind the same port.
    if cfg!(not(windows)) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Binds the first of a name's addresses that can be bound.
async fn bind_host(address: &Address, host: &str) -> io::Result<std::net::TcpListener> {
    let resolved = lookup_host(host).await.map_err(|error| explain_resolving(address, error))?;
    let mut last = None;
    for socket in resolved {
        match bind_tcp(socket) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error),
        }
    }
    let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    Err(explain(address, last.unwrap_or_else(none)))
}

fn explain_resolving(address: &Address, error: io::Error) -> io::Error {
    let mend = "the name cannot be resolved; write an address of this machine, or 0.0.0.0 for all";
    io::Error::new(error.kind(), format!("cannot listen on {address}: {mend} ({error})"))
}

/// Adds what to do to an error. Its kind and the system's own text stay.
fn explain(address: &Address, error: io::Error) -> io::Error {
    let port = match address {
        Address::Tcp(address) => Some(address.port().to_string()),
        Address::Host(host) => host.rsplit_once(':').map(|(_, port)| port.to_owned()),
        Address::Unix(_) => None,
    };
    let mend = match (error.kind(), port) {
        (io::ErrorKind::AddrInUse, Some(port)) => {
            format!("port {port} is in use; stop the program that has it (`ss -ltnp` names it), or take another port")
        }
        (io::ErrorKind::AddrInUse, None) => "another program listens there; stop it, or take another path".to_owned(),
        (io::ErrorKind::AddrNotAvailable, _) => {
            "no interface of this machine has the address; 0.0.0.0 and [::] are all of them".to_owned()
        }
        (io::ErrorKind::PermissionDenied, Some(port)) => {
            format!(
                "port {port} is privileged; take one from 1024 on, grant CAP_NET_BIND_SERVICE, or let systemd pass it"
            )
        }
        (io::ErrorKind::PermissionDenied, None) => "the folder must be writable for this user".to_owned(),
        (io::ErrorKind::NotFound, None) => "the folder does not exist; create it, or set RuntimeDirectory=".to_owned(),
        _ => return io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")),
    };
    io::Error::new(error.kind(), format!("cannot listen on {address}: {mend} ({error})"))
}

/// Whether this process removes the files of its Unix sockets, and refuses new clients at its stop. Of two processes
/// that listen on one socket, only the one that is to serve does.
#[cfg(all(unix, feature = "handover"))]
pub(super) static OWNS_FILES: AtomicBool = AtomicBool::new(true);

/// The file of a Unix socket that this process bound. It is removed with the listener, unless another program has
/// replaced it meanwhile.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

#[cfg(unix)]
impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Self::at(std::path::absolute(path)?)
    }

    /// The file at an absolute path.
    pub(super) fn at(path: PathBuf) -> io::Result<Self> {
        Ok(Self { identity: identity(&path)?, path })
    }

    /// Leaves the file where it is: it is another process's from now on.
    #[cfg(all(target_os = "linux", feature = "fd_store"))]
    pub(super) fn leave(mut self) {
        self.path = PathBuf::new();
    }

    #[cfg(feature = "handover")]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.symlink_metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another process of this program may listen on the same socket.
        #[cfg(feature = "handover")]
        if !OWNS_FILES.load(Ordering::Relaxed) {
            return;
        }
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // A leftover file is replaced by the next program that listens there.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
async fn bind_unix(path: &Path) -> io::Result<Bound> {
    use std::os::unix::net::UnixListener;

    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path).await?;
            UnixListener::bind(path)?
        }
        other => other?,
    };
    listener.set_nonblocking(true)?;
    Ok(Bound::Unix { listener, path: path.to_owned(), file: Some(SocketFile::of(path)?) })
}

/// Removes a stale socket, on which no program listens.
#[cfg(unix)]
async fn remove_stale(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;

    if !path.symlink_metadata()?.file_type().is_socket() {
        let text = "a file that is no socket is there; remove it, or take another path";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    match tokio::net::UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        // A program listens, or its queue is full.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}
