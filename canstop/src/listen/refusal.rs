//! Why the system accepts no connection.

use std::io;

/// The meaning of an error of `accept`.
pub(super) enum Refusal {
    /// The connection ended before it was accepted, or a signal interrupted the call. There may be a next one.
    OfOne,
    /// The system is out of descriptors or memory.
    OutOfResources,
    /// The listener is unusable.
    OfAll,
}

pub(super) fn judge(error: &io::Error) -> Refusal {
    #[cfg(unix)]
    if let Some(code) = error.raw_os_error() {
        return match code {
            libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => Refusal::OutOfResources,
            // On Linux `accept` also returns network errors of the new connection, see accept(2).
            libc::ECONNABORTED
            | libc::ECONNRESET
            | libc::EINTR
            | libc::EPROTO
            | libc::EPERM
            | libc::ENETDOWN
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::ENOPROTOOPT
            | libc::EOPNOTSUPP
            | libc::ETIMEDOUT => Refusal::OfOne,
            _ => Refusal::OfAll,
        };
    }
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted => {
            Refusal::OfOne
        }
        io::ErrorKind::OutOfMemory => Refusal::OutOfResources,
        _ => Refusal::OfAll,
    }
}
