//! A process that is no child of this one.

use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// A process, by a descriptor where the system has such, so that its pid cannot have become another one's.
#[derive(Debug)]
pub(super) struct Process {
    pid: Option<Pid>,
    descriptor: Option<OwnedFd>,
}

impl Process {
    pub(super) fn open(pid: u32) -> Self {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        Self { pid, descriptor: pid.and_then(descriptor) }
    }

    /// Ends it, if it has not ended.
    pub(super) fn kill(&self) {
        // An error says that it has ended.
        let _ = match (&self.descriptor, self.pid) {
            #[cfg(target_os = "linux")]
            (Some(descriptor), _) => rustix::process::pidfd_send_signal(descriptor, Signal::KILL),
            (_, Some(pid)) => kill_process(pid, Signal::KILL),
            (_, None) => Ok(()),
        };
    }

    pub(super) fn has_ended(&self) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(descriptor) = &self.descriptor {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            // It becomes readable when the process ends.
            let mut ended = [PollFd::new(descriptor, PollFlags::IN)];
            return poll(&mut ended, Some(&Timespec::default())).is_ok_and(|ready| ready > 0);
        }
        self.pid.is_none_or(|pid| test_kill_process(pid).is_err())
    }
}

#[cfg(target_os = "linux")]
fn descriptor(pid: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn descriptor(_pid: Pid) -> Option<OwnedFd> {
    None
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_killed_process_has_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::open(child.id());
        assert!(!process.has_ended());
        process.kill();
        child.wait().unwrap();
        assert!(process.has_ended());
        process.kill();
    }
}
