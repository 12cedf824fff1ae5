//! Accepted connections.

use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
#[cfg(unix)]
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
///
/// ```
/// use canstop::testing::{Clock, Harness};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tokio::net::TcpStream;
///
/// Harness::new().clock(Clock::Real).run(async |mut sup| {
///     let listener = canstop::listen("greeter", "127.0.0.1:0").await.unwrap();
///     let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
///
///     let (mut stream, peer) = listener.accept().await.unwrap().unwrap();
///     stream.set_nodelay(true).unwrap();
///     assert_eq!(stream.as_tcp().unwrap().peer_addr().ok(), peer.address());
///     stream.write_all(b"hello").await.unwrap();
///     drop(stream);
///
///     let mut received = String::new();
///     client.read_to_string(&mut received).await.unwrap();
///     assert_eq!(received, "hello");
///     assert!(sup.stop().await.is_clean());
/// });
/// ```
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

    /// The TCP socket itself, for code that needs a [`TcpStream`]; the stream as it was for a Unix socket.
    ///
    /// From then on it no longer counts towards the [`limit`](super::Listener::limit) of its listener.
    ///
    /// ```
    /// # use canstop::testing::{Clock, Harness};
    /// # use tokio::net::TcpStream;
    /// # Harness::new().clock(Clock::Real).run(async |mut sup| {
    /// let listener = canstop::listen("greeter", "127.0.0.1:0").await.unwrap();
    /// let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    ///
    /// let (stream, _peer) = listener.accept().await.unwrap().unwrap();
    /// let (_reader, _writer) = stream.into_tcp().expect("it listens on TCP").into_split();
    /// # assert!(sup.stop().await.is_clean());
    /// # });
    /// ```
    ///
    /// # Errors
    ///
    /// The stream, if its socket is a Unix socket.
    pub fn into_tcp(self) -> Result<TcpStream, Self> {
        match self.socket {
            Socket::Tcp(socket) => Ok(socket),
            #[cfg(unix)]
            Socket::Unix(_) => Err(self),
        }
    }

    /// The Unix socket itself, for code that needs a [`UnixStream`]; the stream as it was for a TCP socket.
    ///
    /// From then on it no longer counts towards the [`limit`](super::Listener::limit) of its listener.
    ///
    /// # Errors
    ///
    /// The stream, if its socket is a TCP socket.
    #[cfg(unix)]
    pub fn into_unix(self) -> Result<UnixStream, Self> {
        match self.socket {
            Socket::Unix(socket) => Ok(socket),
            Socket::Tcp(_) => Err(self),
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
///
/// ```
/// use std::net::IpAddr;
///
/// use canstop::Peer;
///
/// /// What a client may do depends on where it comes from. One on a Unix socket is on this machine.
/// fn is_local(peer: &Peer) -> bool {
///     peer.address().map(|address| address.ip()).is_none_or(|ip: IpAddr| ip.is_loopback())
/// }
///
/// # use canstop::testing::{Clock, Harness};
/// # Harness::new().clock(Clock::Real).run(async |mut sup| {
/// let listener = canstop::listen("greeter", "127.0.0.1:0").await.unwrap();
/// let client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
/// let (_stream, peer) = listener.accept().await.unwrap().unwrap();
/// assert!(is_local(&peer));
/// assert_eq!(peer.to_string(), client.local_addr().unwrap().to_string());
/// # assert!(sup.stop().await.is_clean());
/// # });
/// ```
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
