//! A listening socket: accepting with the runtime, and past it.

use std::fmt;
use std::io;
#[cfg(unix)]
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use super::bind::Bound;
use super::stream::{Peer, PeerKind, Socket};

/// A socket, registered with the runtime, and as the kernel's own for the last look at its queue: the runtime only
/// asks the kernel after a notification.
#[derive(Debug)]
pub(super) enum Listening {
    Tcp {
        runtime: tokio::net::TcpListener,
        kernel: std::net::TcpListener,
        is_shared: bool,
    },
    #[cfg(unix)]
    Unix {
        runtime: tokio::net::UnixListener,
        kernel: std::os::unix::net::UnixListener,
        path: Arc<std::path::Path>,
        /// The file, if this process made it.
        file: Mutex<Option<super::bind::SocketFile>>,
    },
}

impl Listening {
    /// Registers a socket. A shared one is another process's too, which accepts after this one.
    pub(super) fn new(bound: Bound, is_shared: bool) -> io::Result<Self> {
        match bound {
            Bound::Tcp(kernel) => {
                let runtime = tokio::net::TcpListener::from_std(kernel.try_clone()?)?;
                Ok(Self::Tcp { runtime, kernel, is_shared })
            }
            #[cfg(unix)]
            Bound::Unix { listener: kernel, path, file } => {
                let runtime = tokio::net::UnixListener::from_std(kernel.try_clone()?)?;
                Ok(Self::Unix { runtime, kernel, path: path.into(), file: Mutex::new(file) })
            }
        }
    }

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Socket, Peer)>> {
        match self {
            Self::Tcp { runtime, .. } => {
                runtime.poll_accept(cx).map_ok(|(socket, peer)| (Socket::Tcp(socket), Peer(PeerKind::Tcp(peer))))
            }
            #[cfg(unix)]
            Self::Unix { runtime, path, .. } => runtime
                .poll_accept(cx)
                .map_ok(|(socket, _)| (Socket::Unix(socket), Peer(PeerKind::Unix(Arc::clone(path))))),
        }
    }

    /// Accepts a connection that the kernel has completed; `None` if its queue is empty.
    pub(super) fn accept_queued(&self) -> Option<io::Result<(Socket, Peer)>> {
        match self.accept_now() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            accepted => Some(accepted),
        }
    }

    fn accept_now(&self) -> io::Result<(Socket, Peer)> {
        match self {
            Self::Tcp { kernel, .. } => {
                let (socket, peer) = kernel.accept()?;
                socket.set_nonblocking(true)?;
                Ok((Socket::Tcp(tokio::net::TcpStream::from_std(socket)?), Peer(PeerKind::Tcp(peer))))
            }
            #[cfg(unix)]
            Self::Unix { kernel, path, .. } => {
                let (socket, _) = kernel.accept()?;
                socket.set_nonblocking(true)?;
                let peer = Peer(PeerKind::Unix(Arc::clone(path)));
                Ok((Socket::Unix(tokio::net::UnixStream::from_std(socket)?), peer))
            }
        }
    }

    /// Admits no further client, for good. Otherwise a client that connects between the last look at the queue and
    /// the close would be reset. Returns true if handshakes in progress may still complete.
    ///
    /// A socket that another process has too stays as it is: that process accepts what comes.
    pub(super) fn refuse_new_clients(&self) -> bool {
        #[cfg(all(unix, feature = "handover"))]
        if !super::bind::OWNS_FILES.load(std::sync::atomic::Ordering::Relaxed) {
            return false;
        }
        match self {
            Self::Tcp { is_shared: true, .. } => false,
            #[cfg(target_os = "linux")]
            Self::Tcp { kernel, .. } => {
                use std::os::fd::AsFd;
                // If a sandbox forbids it, the queue is still emptied.
                super::kernel::ignore_new_connections(kernel.as_fd()).is_ok()
            }
            #[cfg(not(target_os = "linux"))]
            Self::Tcp { .. } => false,
            #[cfg(unix)]
            Self::Unix { file, .. } => {
                drop(file.lock().unwrap_or_else(PoisonError::into_inner).take());
                false
            }
        }
    }

    /// The kernel's TCP socket.
    pub(super) fn tcp(&self) -> Option<&std::net::TcpListener> {
        match self {
            Self::Tcp { kernel, .. } => Some(kernel),
            #[cfg(unix)]
            Self::Unix { .. } => None,
        }
    }
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { kernel, .. } => match kernel.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(_) => f.write_str("an unknown address"),
            },
            #[cfg(unix)]
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}
