//! The socket of sd_notify(3).

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::settings::World;

/// How many messages may wait for a manager that does not read.
const WAITING: usize = 32;

/// A manager's socket. Sending never blocks, because the control plane sends.
#[derive(Debug)]
pub(super) struct Socket {
    path: String,
    end: Result<(UnixDatagram, SocketAddr), String>,
    waiting: VecDeque<Datagram>,
    has_failed: bool,
}

/// A message, and with the feature `fd_store` the descriptors that go with it.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) text: String,
    #[cfg(feature = "fd_store")]
    pub(super) fds: Vec<std::os::fd::OwnedFd>,
}

impl From<String> for Datagram {
    fn from(text: String) -> Self {
        Self {
            text,
            #[cfg(feature = "fd_store")]
            fds: Vec::new(),
        }
    }
}

impl Socket {
    /// Parses the value of `NOTIFY_SOCKET`: a path, or `@` and the name of an abstract socket.
    pub(super) fn new(path: &OsStr) -> Self {
        let end = address(path).and_then(|address| {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            Ok((socket, address))
        });
        Self {
            path: path.to_string_lossy().into_owned(),
            end: end.map_err(|error| error.to_string()),
            waiting: VecDeque::new(),
            has_failed: false,
        }
    }

    /// Adds a message to those that wait.
    pub(super) fn queue(&mut self, message: Datagram) {
        if self.waiting.len() == WAITING {
            // The least important messages are dropped first: extensions of time, and watchdog pings.
            const IMPORTANT: [&str; 3] = ["READY=1", "STOPPING=1", "FDSTORE"];
            let says_little = |message: &Datagram| !IMPORTANT.iter().any(|word| message.text.contains(word));
            let least = self.waiting.iter().position(says_little).unwrap_or(0);
            self.waiting.remove(least);
        }
        self.waiting.push_back(message);
    }

    /// Sends the messages that wait, as far as there is room for them.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        while let Some(message) = self.waiting.front() {
            let sent = match &self.end {
                Ok((socket, address)) => write(socket, address, message).map_err(|error| match error {
                    error if error.kind() == io::ErrorKind::WouldBlock => None,
                    error => Some(error.to_string()),
                }),
                Err(error) => Err(Some(error.clone())),
            };
            match sent {
                Ok(_) => drop(self.waiting.pop_front()),
                // The socket is full: try again later.
                Err(None) => return Ok(()),
                Err(Some(error)) => {
                    self.waiting.clear();
                    if std::mem::replace(&mut self.has_failed, true) {
                        return Ok(());
                    }
                    return Err(format!("NOTIFY_SOCKET is \"{}\": {error}", self.path));
                }
            }
        }
        Ok(())
    }
}

fn write(socket: &UnixDatagram, address: &SocketAddr, message: &Datagram) -> io::Result<()> {
    #[cfg(feature = "fd_store")]
    if !message.fds.is_empty() {
        return write_with_descriptors(socket, address, message);
    }
    socket.send_to_addr(message.text.as_bytes(), address).map(drop)
}

#[cfg(feature = "fd_store")]
fn write_with_descriptors(socket: &UnixDatagram, address: &SocketAddr, message: &Datagram) -> io::Result<()> {
    use std::mem::MaybeUninit;
    use std::os::fd::AsFd as _;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr};

    let address = match (address.as_pathname(), address.as_abstract_name()) {
        (Some(path), _) => SocketAddrUnix::new(path)?,
        (None, Some(name)) => SocketAddrUnix::new_abstract_name(name)?,
        (None, None) => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let fds: Vec<_> = message.fds.iter().map(|fd| fd.as_fd()).collect();
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(fds.len()))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::Error::other("too many sockets have one name"));
    }
    let text = [io::IoSlice::new(message.text.as_bytes())];
    sendmsg_addr(socket, &address, &text, &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn address(path: &OsStr) -> io::Result<SocketAddr> {
    match path.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(path),
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => Err(io::Error::other("it is neither an absolute path nor an abstract socket")),
    }
}

/// The watchdog's limit, if it watches this process.
pub(super) fn watchdog(world: &World<'_>, own_pid: u32) -> Option<Duration> {
    let number = |name: &str| world.get(name).map(|text| text.to_str().and_then(|text| text.parse::<u64>().ok()));
    if let Some(pid) = number("WATCHDOG_PID")
        && pid != Some(u64::from(own_pid))
    {
        return None;
    }
    // The variable is the manager's: a value that is no number is ignored, as in sd_watchdog_enabled(3).
    number("WATCHDOG_USEC").flatten().filter(|&microseconds| microseconds > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::*;

    fn received(socket: &UnixDatagram) -> Vec<String> {
        socket.set_nonblocking(true).unwrap();
        let mut messages = Vec::new();
        let mut buffer = [0; 4_096];
        while let Ok(length) = socket.recv(&mut buffer) {
            messages.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
        messages
    }

    impl Socket {
        fn send(&mut self, text: String) -> Result<(), String> {
            self.queue(text.into());
            self.flush()
        }
    }

    #[test]
    fn messages_arrive_at_a_path_and_at_an_abstract_name() {
        let path = std::env::temp_dir().join(format!("canstop-notify-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let at_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("canstop-notify-{}", std::process::id());
        let at_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (given, end) in [(path.clone().into_os_string(), at_path), (OsString::from(format!("@{name}")), at_name)] {
            let mut socket = Socket::new(&given);
            socket.send("READY=1\nSTATUS=a".to_owned()).unwrap();
            socket.send("STOPPING=1".to_owned()).unwrap();
            assert_eq!(received(&end), ["READY=1\nSTATUS=a", "STOPPING=1"], "{given:?}");
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_manager_that_does_not_read_blocks_nothing() {
        let name = format!("canstop-full-{}", std::process::id());
        let end = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let mut socket = Socket::new(OsStr::new(&format!("@{name}")));
        for beat in 0..5_000 {
            socket.send(if beat == 4_000 { "STOPPING=1".to_owned() } else { "WATCHDOG=1".to_owned() }).unwrap();
        }
        assert!(socket.waiting.len() <= WAITING);
        let mut messages = received(&end);
        socket.flush().unwrap();
        messages.extend(received(&end));
        assert!(messages.iter().any(|message| message == "STOPPING=1"));
    }

    #[test]
    fn a_failed_send_is_reported_once() {
        for (path, why) in [
            ("/nowhere/notify", "No such file"),
            ("relative", "neither an absolute path nor an abstract socket"),
            ("vsock:2:1234", "neither an absolute path nor an abstract socket"),
        ] {
            let mut socket = Socket::new(OsStr::new(path));
            let error = socket.send("READY=1".to_owned()).unwrap_err();
            assert!(error.starts_with(&format!("NOTIFY_SOCKET is \"{path}\": ")) && error.contains(why), "{error}");
            assert_eq!(socket.send("STOPPING=1".to_owned()), Ok(()));
        }
    }

    #[test]
    fn the_watchdog_of_another_process_is_ignored() {
        let of = |variables: &'static [(&str, &str)]| {
            let variable = |name: &str| {
                let set = variables.iter().find(|(known, _)| *known == name);
                set.map(|(_, value)| OsString::from(value))
            };
            watchdog(&World { variable: &variable, exists: &|_: &Path| false }, 42)
        };
        assert_eq!(of(&[("WATCHDOG_USEC", "3000000")]), Some(Duration::from_secs(3)));
        assert_eq!(of(&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "42")]), Some(Duration::from_secs(3)));
        assert_eq!(of(&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "43")]), None);
        assert_eq!(of(&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "x")]), None);
        assert_eq!(of(&[("WATCHDOG_USEC", "0")]), None);
        assert_eq!(of(&[("WATCHDOG_USEC", "soon")]), None);
        assert_eq!(of(&[]), None);
    }
}
