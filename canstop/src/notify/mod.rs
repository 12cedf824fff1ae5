//! Notifying a process manager: systemd's protocol, and the ready fd of s6.
//!
//! The machine decides what to send and when; this module only sends it. The variables are read once and never
//! unset: unsetting them while threads run is unsound.

#[cfg(unix)]
mod ready_fd;
#[cfg(all(feature = "systemd", target_os = "linux"))]
mod socket;

use std::time::Duration;

use crate::settings::World;

/// The receivers of notifications.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    #[cfg(all(feature = "systemd", target_os = "linux"))]
    socket: Option<socket::Socket>,
    #[cfg(unix)]
    ready_fd: Option<ready_fd::ReadyFd>,
    /// The interval within which the manager expects a message.
    watchdog: Option<Duration>,
    #[cfg(all(unix, feature = "handover"))]
    voice: Voice,
}

/// Whether the manager is to hear of this process.
#[cfg(all(unix, feature = "handover"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Voice {
    #[default]
    Sends,
    /// Another process serves: what this one has to send waits until it serves itself.
    Holds,
    /// Another process serves from now on.
    Left,
}

impl Notifier {
    /// Reads the receivers from the environment: a manager, unless `enabled` is false, and the ready fd.
    ///
    /// # Errors
    ///
    /// If `CANSTOP_READY_FD` is not an open file descriptor, because the process that set it waits for the newline.
    pub(crate) fn from_environment(world: &World<'_>, enabled: bool) -> Result<Self, String> {
        #[cfg(all(feature = "systemd", target_os = "linux"))]
        let (socket, watchdog) = match world.get("NOTIFY_SOCKET").filter(|_| enabled) {
            Some(path) => (Some(socket::Socket::new(&path)), socket::watchdog(world, std::process::id())),
            None => (None, None),
        };
        #[cfg(not(all(feature = "systemd", target_os = "linux")))]
        let watchdog = None;
        let _ = (world, enabled);
        Ok(Self {
            #[cfg(all(feature = "systemd", target_os = "linux"))]
            socket,
            #[cfg(unix)]
            ready_fd: ready_fd::ReadyFd::from_environment(world)?,
            watchdog,
            #[cfg(all(unix, feature = "handover"))]
            voice: Voice::default(),
        })
    }

    /// The limit of the manager's watchdog.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Sends a message, now or as soon as there is room for it.
    ///
    /// # Errors
    ///
    /// The first time that it cannot be sent.
    pub(crate) fn send(&mut self, message: String) -> Result<(), String> {
        #[cfg(all(unix, feature = "handover"))]
        if self.voice == Voice::Left || self.voice == Voice::Holds && is_about_the_present(&message) {
            return Ok(());
        }
        #[cfg(all(feature = "systemd", target_os = "linux"))]
        if let Some(socket) = &mut self.socket {
            socket.queue(message.into());
            return self.flush();
        }
        drop(message);
        Ok(())
    }

    /// Sends sockets to store, as [`send`](Self::send) sends a message. Without a manager they are closed.
    ///
    /// # Errors
    ///
    /// The first time that it cannot be sent.
    #[cfg(all(target_os = "linux", feature = "fd_store"))]
    pub(crate) fn store(&mut self, message: String, fds: Vec<std::os::fd::OwnedFd>) -> Result<(), String> {
        #[cfg(feature = "handover")]
        if self.voice == Voice::Left {
            return Ok(());
        }
        let Some(socket) = &mut self.socket else { return Ok(()) };
        socket.queue(socket::Datagram { text: message, fds });
        self.flush()
    }

    /// Whether there is a manager.
    #[cfg(all(target_os = "linux", feature = "fd_store"))]
    pub(crate) fn has_manager(&self) -> bool {
        self.socket.is_some()
    }

    /// Holds all messages back until [`release`](Self::release).
    #[cfg(all(unix, feature = "handover"))]
    pub(crate) fn held(self) -> Self {
        Self { voice: Voice::Holds, ..self }
    }

    /// Sends what was held back.
    ///
    /// # Errors
    ///
    /// The first time that it cannot be sent.
    #[cfg(all(unix, feature = "handover"))]
    pub(crate) fn release(&mut self) -> Result<(), String> {
        self.voice = Voice::Sends;
        self.flush()
    }

    /// Sends no message after those that wait already.
    #[cfg(all(unix, feature = "handover"))]
    pub(crate) fn leave(&mut self) {
        self.voice = Voice::Left;
    }

    /// Sends pending messages.
    ///
    /// # Errors
    ///
    /// The first time that it cannot be sent.
    pub(crate) fn flush(&mut self) -> Result<(), String> {
        #[cfg(all(unix, feature = "handover"))]
        if self.voice == Voice::Holds {
            return Ok(());
        }
        #[cfg(all(feature = "systemd", target_os = "linux"))]
        if let Some(socket) = &mut self.socket {
            return socket.flush();
        }
        Ok(())
    }

    /// Writes the newline to the ready fd, once.
    pub(crate) fn ready(&mut self) {
        #[cfg(unix)]
        if let Some(ready_fd) = self.ready_fd.take() {
            ready_fd.notify();
        }
    }
}

/// Returns true if a message means nothing later.
#[cfg(all(unix, feature = "handover"))]
fn is_about_the_present(message: &str) -> bool {
    message.starts_with("WATCHDOG=") || message.starts_with("EXTEND_TIMEOUT_USEC=")
}
