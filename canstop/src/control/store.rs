//! Storing the listeners' sockets with the process manager.

use std::os::fd::OwnedFd;

use super::event_loop::EventLoop;
use crate::listen;

impl EventLoop {
    pub(super) fn store(&self, name: &str, fds: Vec<OwnedFd>) {
        let sent = self.operations.notifier().store(format!("FDSTORE=1\nFDNAME={name}"), fds);
        sent.unwrap_or_else(|error| self.report_notify_failure(error));
    }

    pub(super) fn unstore(&self, name: &str) {
        self.notify(format!("FDSTOREREMOVE=1\nFDNAME={name}"));
    }

    /// Closes what no listener has taken: its clients would wait for ever.
    pub(super) fn close_unclaimed(&self, name: &str) {
        listen::close_unclaimed_of_manager(name);
        self.unstore(name);
    }
}
