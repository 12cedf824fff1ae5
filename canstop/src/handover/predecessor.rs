//! The old process, as the new one sees it.

use std::io::{self, Write as _};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use super::wire::{self, READY, SERVE};
use crate::listen;
use crate::machine::{HandOverInput, Input};
use crate::session::Supervisor;
use crate::settings::World;

/// The variable that says where the old process is reached, and its pid: `5:1234`.
pub(super) const VARIABLE: &str = "CANSTOP_PREDECESSOR";
/// How long the old process may take to send its sockets.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// The process that serves, and from which this one takes over.
#[derive(Debug)]
pub(crate) struct Predecessor {
    pid: u32,
    stream: UnixStream,
}

impl Predecessor {
    /// Takes the sockets of the old process, if there is one.
    ///
    /// # Errors
    ///
    /// If it does not send them.
    pub(crate) fn from_environment(world: &World<'_>) -> io::Result<Option<Self>> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let Some((fd, pid)) = world.get(VARIABLE).and_then(|value| parse(value.to_str()?)) else { return Ok(None) };
        if TAKEN.swap(true, Ordering::Relaxed) {
            return Ok(None);
        }
        // Programs that this one starts inherit the variable, and are not meant by it.
        let Ok(fd) = listen::own_descriptor(fd) else { return Ok(None) };
        let stream = UnixStream::from(fd);
        if !is_made_by(&stream, pid) {
            // It is not the variable's, whatever else it is.
            std::mem::forget(stream);
            return Ok(None);
        }
        let explain = |error: io::Error| {
            let text = format!("cannot take over from process {pid} ({VARIABLE}): {error}");
            io::Error::new(error.kind(), text)
        };
        stream.set_read_timeout(Some(READ_LIMIT))?;
        let sockets = wire::receive(&stream).map_err(explain)?;
        listen::inherit(sockets);
        Ok(Some(Self { pid, stream }))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Reports what the old process does, from now on. It needs the control plane's runtime.
    ///
    /// # Errors
    ///
    /// If the runtime does not take the stream.
    pub(crate) fn watch(&self, supervisor: &'static Supervisor) -> io::Result<()> {
        let stream = self.stream.try_clone()?;
        stream.set_nonblocking(true)?;
        let mut stream = tokio::net::UnixStream::from_std(stream)?;
        tokio::spawn(async move {
            let happened = |input| supervisor.event(Input::HandOver(input));
            // An error is an end, too.
            while let Ok(byte) = stream.read_u8().await {
                if byte == SERVE {
                    happened(HandOverInput::TookOver);
                }
            }
            happened(HandOverInput::PredecessorEnded);
        });
        Ok(())
    }

    /// Reports that everything here is ready.
    pub(crate) fn announce(&self) {
        // A byte always fits. If the old process is gone, `watch` reports it.
        let _ = (&self.stream).write_all(&[READY]);
    }
}

/// Returns true if this process has made the stream.
#[cfg(target_os = "linux")]
fn is_made_by(stream: &UnixStream, pid: u32) -> bool {
    let peer = rustix::net::sockopt::socket_peercred(stream);
    peer.is_ok_and(|peer| u32::try_from(peer.pid.as_raw_nonzero().get()) == Ok(pid))
}

/// The system does not tell who has made a stream.
#[cfg(not(target_os = "linux"))]
fn is_made_by(stream: &UnixStream, _pid: u32) -> bool {
    rustix::net::sockopt::socket_type(stream) == Ok(rustix::net::SocketType::STREAM)
}

fn parse(value: &str) -> Option<(RawFd, u32)> {
    let (fd, pid) = value.split_once(':')?;
    Some((fd.parse().ok()?, pid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_variable_of_a_program_that_started_this_one_is_ignored() {
        assert_eq!(parse("5:1234"), Some((5, 1_234)));
        for value in ["", "5", "5:", ":5", "x:1", "5:-1", "5:1:2"] {
            assert_eq!(parse(value), None, "{value:?}");
        }
        // A stream that another process has made, and a descriptor that is closed.
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(is_made_by(&ours, std::process::id()) && !is_made_by(&ours, 1));
        let of_another = |name: &str| (name == VARIABLE).then(|| OsString::from("1000000:1"));
        let world = World { variable: &of_another, exists: &|_: &Path| false };
        assert!(Predecessor::from_environment(&world).unwrap().is_none());
    }
}
