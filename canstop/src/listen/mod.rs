//! Listeners that a stop loses no connection of.
//!
//! [`listen`] takes the socket that the process manager passes under the name, or binds one. Its
//! [`Listener`] is read by [`accept`](Listener::accept) until that returns `None`: a stop was requested,
//! and every connection that the kernel had completed by then was given out.

mod address;
mod stream;
mod bind;
#[cfg(unix)]
mod passed;
mod listener;

pub use address::{Address, ListenAddress};
pub use listener::Listener;
pub use stream::{Peer, Stream};

use std::io;

/// The names of the sockets that were passed to the program and that no listener has taken.
#[cfg(unix)]
pub(crate) use passed::unclaimed;
#[cfg(not(unix))]
pub(crate) fn unclaimed() -> Vec<String> {
    Vec::new()
}

/// Listens for connections: on the socket that the process manager passed under this name, or on an
/// address, which is bound.
///
/// The name is the listener's in log lines, and its `FileDescriptorName` in a systemd `.socket` unit. The
/// address is `"host:port"`, several of these with commas between them, a [`SocketAddr`], a slice or
/// vector of these, or the path of a Unix socket: anything with a `/` in it, or with `unix:` before it.
/// IPv6 addresses stand in brackets, as in `"[::]:8080"`. Port 0 lets the system choose.
///
/// A TCP socket has `SO_REUSEADDR`, so that a restart need not wait for old connections to time out. A
/// Unix socket that a killed program left behind is replaced; one that a program still listens on is not.
/// The file goes when the listener does.
///
/// ```no_run
/// use canstop::{Lifecycle, spawn_session};
/// # async fn serve(_socket: canstop::Stream) -> std::io::Result<()> { Ok(()) }
///
/// #[canstop::service]
/// async fn echo(lifecycle: Lifecycle) -> std::io::Result<()> {
///     let listener = canstop::listen("echo", "127.0.0.1:48879").await?;
///     lifecycle.ready();
///     while let Some(accepted) = listener.accept().await {
///         let (socket, peer) = accepted?;
///         spawn_session!(serve(socket), %peer);
///     }
///     Ok(())
/// }
/// ```
///
/// # Passed sockets
///
/// On Unix the environment variables `LISTEN_FDS`, `LISTEN_FDNAMES` and `LISTEN_PID` of the systemd protocol
/// are read. A socket is taken if its name is this one; a socket without a name is taken by its address.
/// It must be a listening stream socket of the family and port that are asked for. The variables stay as
/// they are, since no other program can take them for its own: they name the process.
///
/// # Errors
///
/// The address cannot be read, resolved or bound, or the passed socket does not fit it. The error's text
/// names the listener, the address and what to do; its kind is the system's.
///
/// # Cancel safety
///
/// Cancel safe: nothing is bound when the future is dropped before it is ready.
///
/// [`SocketAddr`]: std::net::SocketAddr
pub async fn listen(name: &str, address: impl ListenAddress) -> io::Result<Listener> {
    let addresses = address.addresses().map_err(|error| bind::named(name, error))?;
    #[cfg(unix)]
    if let Some(sockets) = passed::take(name, &addresses).map_err(|error| bind::named(name, error))? {
        return Listener::new(name, sockets);
    }
    let sockets = bind::bind(&addresses).await.map_err(|error| bind::named(name, error))?;
    Listener::new(name, sockets)
}
