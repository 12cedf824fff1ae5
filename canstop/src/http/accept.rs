//! Sources of connections.

use std::future::{Ready, ready};
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::listen::{Listener, Peer, Stream};

/// What [`serve`](super::serve) takes connections from: a [`Listener`], or one with
/// [`with_handshake`](super::with_handshake).
///
/// Implement it for your own listeners. `accept` returns `None` when a stop was requested and no more clients wait.
///
/// ```
/// use std::future::{Ready, ready};
/// use std::io;
///
/// use canstop::http::{Accept, Body, Request, Response, service_fn};
/// use canstop::{Listener, Peer, Stream};
///
/// /// Serves clients on this machine, and closes the connections of others.
/// struct OnlyLocal(Listener);
///
/// impl Accept for OnlyLocal {
///     type Io = Stream;
///     type Handshake = Ready<io::Result<Stream>>;
///
///     async fn accept(&self) -> Option<io::Result<(Self::Handshake, Peer)>> {
///         loop {
///             match self.0.accept().await? {
///                 Ok((stream, peer)) if peer.address().is_none_or(|address| address.ip().is_loopback()) => {
///                     return Some(Ok((ready(Ok(stream)), peer)));
///                 }
///                 Ok(_) => {}
///                 Err(error) => return Some(Err(error)),
///             }
///         }
///     }
/// }
///
/// async fn serve(listener: Listener) -> io::Result<()> {
///     let hello = service_fn(|_: Request<Body>| async { Response::new("hello".to_owned()) });
///     canstop::http::serve(OnlyLocal(listener), hello).await
/// }
/// # use canstop::testing::{Clock, Harness};
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # Harness::new().clock(Clock::Real).run(async |mut sup| {
/// # let listener = canstop::listen("http", "127.0.0.1:0").await.unwrap();
/// # let address = listener.local_addr().unwrap();
/// # canstop::spawn_session!(serve(listener));
/// # let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
/// # client.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").await.unwrap();
/// # let mut answer = String::new();
/// # client.read_to_string(&mut answer).await.unwrap();
/// # assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
/// # assert!(answer.ends_with("hello"), "{answer}");
/// # assert!(sup.stop().await.is_clean());
/// # });
/// ```
pub trait Accept: Send + 'static {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// The work before the first byte of HTTP, such as a TLS handshake. It runs in the connection's own session,
    /// within [`head_timeout`](super::Server::head_timeout).
    type Handshake: Future<Output = io::Result<Self::Io>> + Send + 'static;

    /// Waits for the next connection; `None` after a stop.
    ///
    /// # Cancel safety
    ///
    /// It must be cancel safe: no accepted connection may be lost.
    fn accept(&self) -> impl Future<Output = Option<io::Result<(Self::Handshake, Peer)>>> + Send;

    /// Returns true if the kernel has unread bytes of the connection: at a stop, such a connection is not idle.
    /// Return `false` if that is unknown, as within TLS.
    fn has_unread(connection: &Self::Io) -> bool {
        let _ = connection;
        false
    }
}

impl Accept for Listener {
    type Io = Stream;
    type Handshake = Ready<io::Result<Stream>>;

    async fn accept(&self) -> Option<io::Result<(Self::Handshake, Peer)>> {
        let accepted = Listener::accept(self).await?;
        Some(accepted.map(|(stream, peer)| {
            // Responses are written in few pieces, and none should wait for the acknowledgement of another. If this
            // fails, the connection is about to end.
            let _ = stream.set_nodelay(true);
            (ready(Ok(stream)), peer)
        }))
    }

    fn has_unread(connection: &Stream) -> bool {
        connection.has_unread()
    }
}

/// A listener whose connections start with a handshake, made by [`with_handshake`](super::with_handshake).
///
/// [`with_handshake`](super::with_handshake) has an example.
#[derive(Debug)]
pub struct WithHandshake<F> {
    listener: Listener,
    handshake: F,
}

/// Starts each connection with a handshake, usually TLS. It runs in the connection's own session, so a slow client
/// delays no other, and has [`head_timeout`](super::Server::head_timeout) to finish.
///
/// ```
/// use std::io;
///
/// use canstop::http::{Body, Request, Response, service_fn};
/// use canstop::{Listener, Stream};
///
/// /// In place of `TlsAcceptor::accept` of tokio-rustls.
/// async fn handshake(stream: Stream) -> io::Result<Stream> {
///     Ok(stream)
/// }
///
/// async fn serve(listener: Listener) -> io::Result<()> {
///     let hello = service_fn(|_: Request<Body>| async { Response::new("hello".to_owned()) });
///     let listener = canstop::http::with_handshake(listener, handshake);
///     canstop::http::serve(listener, hello).await
/// }
/// # use canstop::testing::{Clock, Harness};
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # Harness::new().clock(Clock::Real).run(async |mut sup| {
/// # let listener = canstop::listen("http", "127.0.0.1:0").await.unwrap();
/// # let address = listener.local_addr().unwrap();
/// # canstop::spawn_session!(serve(listener));
/// # let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
/// # client.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").await.unwrap();
/// # let mut answer = String::new();
/// # client.read_to_string(&mut answer).await.unwrap();
/// # assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
/// # assert!(answer.ends_with("hello"), "{answer}");
/// # assert!(sup.stop().await.is_clean());
/// # });
/// ```
pub fn with_handshake<F, H, T>(listener: Listener, handshake: F) -> WithHandshake<F>
where
    F: Fn(Stream) -> H + Send + Sync + 'static,
    H: Future<Output = io::Result<T>> + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    WithHandshake { listener, handshake }
}

impl<F, H, T> Accept for WithHandshake<F>
where
    F: Fn(Stream) -> H + Send + Sync + 'static,
    H: Future<Output = io::Result<T>> + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Io = T;
    type Handshake = H;

    async fn accept(&self) -> Option<io::Result<(H, Peer)>> {
        let accepted = Listener::accept(&self.listener).await?;
        Some(accepted.map(|(stream, peer)| {
            let _ = stream.set_nodelay(true);
            ((self.handshake)(stream), peer)
        }))
    }
}
