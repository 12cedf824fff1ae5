//! Where connections come from.

use std::future::{Ready, ready};
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::listen::{Listener, Peer, Stream};

/// What [`serve`](super::serve) takes connections from: a [`Listener`], or one with
/// [`with_handshake`](super::with_handshake).
///
/// Implement it for a listener of your own. `accept` returns `None` when a stop was requested and no client
/// waits any more.
pub trait Accept: Send + 'static {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// What is still to be done before the first byte of HTTP, such as TLS. It runs in the connection's own
    /// session, and within [`head_timeout`](super::Server::head_timeout).
    type Handshake: Future<Output = io::Result<Self::Io>> + Send + 'static;

    /// Waits for the next connection; `None` after a stop.
    ///
    /// # Cancel safety
    ///
    /// It must be cancel safe: a connection that was accepted is returned.
    fn accept(&self) -> impl Future<Output = Option<io::Result<(Self::Handshake, Peer)>>> + Send;

    /// Has the kernel bytes of the connection that were not read yet? At a stop such a connection is not
    /// idle. Where it cannot be known, as within TLS, the answer is `false`.
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
            // Answers are written in few pieces, and none should wait for the acknowledgement of another. Where
            // it cannot be set, the connection is about to end.
            let _ = stream.set_nodelay(true);
            (ready(Ok(stream)), peer)
        }))
    }

    fn has_unread(connection: &Stream) -> bool {
        connection.has_unread()
    }
}

/// A listener whose connections begin with a handshake, made by [`with_handshake`](super::with_handshake).
#[derive(Debug)]
pub struct WithHandshake<F> {
    listener: Listener,
    handshake: F,
}

/// Begins each connection with a handshake, most often that of TLS. It runs in the connection's own
/// session, so a client that is slow with it keeps nobody waiting, and has
/// [`head_timeout`](super::Server::head_timeout) for it.
///
/// ```ignore
/// let acceptor = tokio_rustls::TlsAcceptor::from(config);
/// let listener = canstop::http::with_handshake(listener, move |stream| acceptor.accept(stream));
/// canstop::http::serve(listener, app).await
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
