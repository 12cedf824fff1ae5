//! Storing sockets with systemd, which passes them to the next process of the unit: `FDSTORE=1` of sd_notify(3).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;

use super::bind::Bound;
use super::passed::{Origin, Passed, STORES, sockets};
use crate::machine::Event;
use crate::session::{Message, current_scope};

/// The longest name that systemd takes.
const LONGEST_NAME: usize = 255;

/// There is a manager to store with from now on, or there is none.
pub(crate) fn use_store(is_there: bool) {
    STORES.store(is_there, Ordering::Relaxed);
}

/// Stores the sockets that a listener has bound, if there is a manager for it. It returns those that are not stored.
///
/// This process keeps a stored socket, too: it could not be bound again.
///
/// # Errors
///
/// If the process has no descriptor left.
pub(super) fn store(name: &str, bound: Vec<Bound>, kept: &mut Vec<Bound>, replaces: bool) -> io::Result<Vec<Bound>> {
    let Some(scope) = current_scope().filter(|_| STORES.load(Ordering::Relaxed)) else { return Ok(bound) };
    let hub = scope.hub;
    if replaces {
        hub.send(Message::Unstore { name: name.to_owned() });
    }
    if bound.is_empty() {
        return Ok(bound);
    }
    if !is_valid(name) {
        let warning = "the process manager cannot store its socket: the name has other characters than printable ASCII, a \
                       colon, or more than 255 characters";
        hub.emit(Event::ListenerWarning { listener: name.to_owned(), warning: warning.to_owned() });
        return Ok(bound);
    }
    let mut fds = Vec::new();
    for mut socket in bound {
        fds.push(duplicate(&socket)?);
        let passed = Passed {
            name: name.to_owned(),
            fd: duplicate(&socket)?,
            origin: Origin::Manager,
            is_kept: true,
            file: None,
            is_taken: true,
        };
        sockets().push(passed);
        if let Bound::Unix { file, .. } = &mut socket {
            // The next process listens on it.
            file.take().into_iter().for_each(|file| file.leave());
        }
        kept.push(socket);
    }
    hub.send(Message::Store { name: name.to_owned(), fds });
    Ok(Vec::new())
}

fn duplicate(socket: &Bound) -> io::Result<OwnedFd> {
    match socket {
        Bound::Tcp(listener) => listener.as_fd().try_clone_to_owned(),
        Bound::Unix { listener, .. } => listener.as_fd().try_clone_to_owned(),
    }
}

fn is_valid(name: &str) -> bool {
    let is_valid = |byte: u8| (b' '..127).contains(&byte) && byte != b':';
    !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(is_valid)
}

/// Closes the sockets of this name that the manager passed and no listener has taken.
pub(crate) fn close_unclaimed(name: &str) {
    let is_unclaimed = |passed: &Passed| passed.name == name && passed.origin == Origin::Manager && !passed.is_taken;
    sockets().retain(|passed| !is_unclaimed(passed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_colon_is_not_stored() {
        for (name, valid) in
            [("http", true), ("a/b c", true), ("", false), ("a:b", false), ("ä", false), ("a\n", false)]
        {
            assert_eq!(is_valid(name), valid, "{name:?}");
        }
        assert!(is_valid(&"a".repeat(255)) && !is_valid(&"a".repeat(256)));
    }
}
