//! Listeners that lose no connection at a stop.
//!
//! [`listen`] takes the socket that the process manager passes under the name, or binds one. Call
//! [`accept`](Listener::accept) on its [`Listener`] until that returns `None`: a stop was requested, and every
//! connection that the kernel had completed by then was returned.

mod address;
#[cfg(unix)]
mod kernel;
mod stream;
mod bind;
mod queue;
mod refusal;
#[cfg(unix)]
mod passed;
#[cfg(all(unix, feature = "handover"))]
mod open;
#[cfg(all(target_os = "linux", feature = "fd_store"))]
mod store;
mod socket;
mod listener;

pub use address::{Address, ListenAddress};
pub use listener::Listener;
pub use stream::{Peer, Stream};

pub(crate) use queue::{ListenerQueue, accept_queues};

use std::io;

#[cfg(all(unix, feature = "handover"))]
pub(crate) use open::{
    Handed, Purpose, Registration, close_unclaimed as close_unclaimed_of_predecessor, inherit, leave_files, serve,
    sockets_to_hand_over, take_health, wait_to_serve,
};
#[cfg(all(unix, feature = "handover"))]
pub(crate) use passed::own as own_descriptor;
/// The names of the passed sockets that no listener has taken.
#[cfg(unix)]
pub(crate) use passed::unclaimed;
#[cfg(all(target_os = "linux", feature = "fd_store"))]
pub(crate) use store::{close_unclaimed as close_unclaimed_of_manager, use_store};
#[cfg(not(unix))]
pub(crate) fn unclaimed() -> Vec<String> {
    Vec::new()
}

/// Listens for connections: on the socket that the process manager passed under this name, or on an
/// address, which is bound.
///
/// The name appears in log lines, and is the `FileDescriptorName` in a systemd `.socket` unit. The address is
/// `"host:port"`, several of these separated by commas, a [`SocketAddr`], a slice or vector of these, or the path of
/// a Unix socket: any text that contains a `/` or begins with `unix:`. IPv6 addresses are in brackets, as in
/// `"[::]:8080"`. Port 0 lets the system choose.
///
/// A TCP socket has `SO_REUSEADDR`, so that a restart need not wait for old connections to time out. A stale Unix
/// socket of a killed program is replaced; one that a program still listens on is not. The file is removed when the
/// listener is dropped.
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
/// are read. A socket is taken if it has this name, or if it has no name and this address. It must be a listening
/// stream socket of the requested family and port. The variables are not unset: they name the process, so no child
/// takes them for its own.
///
/// With the feature `handover`, a process that [takes over](crate::hand_over) gets the sockets of the old one, by their
/// names or else by their addresses, and [`accept`](Listener::accept) waits until this process is to serve.
///
/// With the feature `fd_store`, on Linux and where `NOTIFY_SOCKET` is set, a socket that was bound is stored with
/// systemd under the listener's name, if the unit has `FileDescriptorStoreMax=`. The next process gets it as one that is
/// passed. Such a socket stays open when its listener is dropped, and its name must be its own.
///
/// # Errors
///
/// If the address cannot be parsed, resolved or bound, or the passed socket does not match it. The error's text
/// names the listener, the address and what to do; its kind is the system's.
///
/// # Cancel safety
///
/// Cancel safe: nothing is bound when the future is dropped before it is ready.
///
/// [`SocketAddr`]: std::net::SocketAddr
pub async fn listen(name: &str, address: impl ListenAddress) -> io::Result<Listener> {
    let addresses = address.addresses().map_err(|error| bind::named(name, error))?;
    open_sockets(name, addresses).await.map_err(|error| bind::named(name, error))
}

/// Takes the sockets that are there, and binds the others.
#[cfg(unix)]
async fn open_sockets(name: &str, addresses: Vec<Address>) -> io::Result<Listener> {
    let passed::Taken { kept, mut own, missing, is_outdated } = passed::take(name, &addresses)?;
    let bound = bind::bind(&missing).await?;
    #[cfg(all(target_os = "linux", feature = "fd_store"))]
    let (bound, kept) = {
        let mut kept = kept;
        (store::store(name, bound, &mut kept, is_outdated)?, kept)
    };
    let _ = is_outdated;
    own.extend(bound);
    #[cfg(all(unix, feature = "handover"))]
    let registration = Registration::listener(name, &own)?;
    let listener = Listener::new(name, kept, own)?;
    #[cfg(all(unix, feature = "handover"))]
    let listener = listener.registered(registration);
    Ok(listener)
}

#[cfg(not(unix))]
async fn open_sockets(name: &str, addresses: Vec<Address>) -> io::Result<Listener> {
    Listener::new(name, Vec::new(), bind::bind(&addresses).await?)
}
