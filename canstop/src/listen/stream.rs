//! Accepted connections.

use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;

/// A connection that a [`Listener`](super::Listener) accepted.
///
/// It reads and writes as the socket inside does. Until it is dropped it counts towards the
/// [`limit`](super::Listener::limit) of its listener.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    _permit: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    pub(super) fn new(socket: Socket, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { socket, _permit: permit }
    }

    /// The TCP socket inside, for its options; `None` for a Unix socket.
    #[must_use]
    pub fn as_tcp(&self) -> Option<&TcpStream> {
        match &self.socket {
            Socket::Tcp(socket) => Some(socket),
            #[cfg(unix)]
            Socket::Unix(_) => None,
        }
    }

    /// The Unix socket inside, for the credentials of the peer; `None` for a TCP socket.
    #[cfg(unix)]
    #[must_use]
    pub fn as_unix(&self) -> Option<&UnixStream> {
        match &self.socket {
            Socket::Unix(socket) => Some(socket),
            Socket::Tcp(_) => None,
        }
    }

    /// Sends small writes at once instead of waiting for more (`TCP_NODELAY`). A Unix socket always does.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.as_tcp().map_or(Ok(()), |socket| socket.set_nodelay(nodelay))
    }

    /// Returns true if the kernel has unread bytes.
    #[cfg(all(unix, feature = "http"))]
    pub(crate) fn has_unread(&self) -> bool {
        super::kernel::has_unread(std::os::fd::AsFd::as_fd(self))
    }

    /// Returns true if the runtime knows of unread bytes.
    #[cfg(all(not(unix), feature = "http"))]
    pub(crate) fn has_unread(&self) -> bool {
        false
    }
}

macro_rules! with_socket {
    ($stream:expr, $socket:ident => $call:expr) => {
        match &mut $stream.get_mut().socket {
            Socket::Tcp($socket) => $call,
            #[cfg(unix)]
            Socket::Unix($socket) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        with_socket!(self, socket => Pin::new(socket).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        with_socket!(self, socket => Pin::new(socket).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_socket!(self, socket => Pin::new(socket).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_socket!(self, socket => Pin::new(socket).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with_socket!(self, socket => Pin::new(socket).poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Stream {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        }
    }
}

/// The other end of a connection, for log lines and for rules by address.
#[derive(Clone, Debug)]
pub struct Peer(pub(super) PeerKind);

#[derive(Clone, Debug)]
pub(super) enum PeerKind {
    Tcp(SocketAddr),
    /// Peers of Unix sockets have no address; this is the listener's.
    #[cfg(unix)]
    Unix(Arc<Path>),
}

impl Peer {
    /// The address of a TCP peer; `None` for a Unix socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.0 {
            PeerKind::Tcp(address) => Some(*address),
            #[cfg(unix)]
            PeerKind::Unix(_) => None,
        }
    }
}

/// `192.0.2.1:50000`, or `unix:/run/http.sock` for the socket that accepted it.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            PeerKind::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            PeerKind::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
