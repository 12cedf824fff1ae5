//! What the old process sends to the new one: its sockets, each with its name.
//!
//! After a greeting, each socket is a record: a head of fixed length, whose first byte carries the descriptor, and
//! then the name and the path of the file. A record of kind [`END`] ends the list. After it, each process sends a
//! single byte: the new one [`READY`], and the old one [`SERVE`]. The end of the stream is the end of a process.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::cmsg_space;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

use crate::listen::{Handed, Purpose};

/// The number is that of this protocol: another version of canstop may have another one.
const GREETING: &[u8; 8] = b"canstop\x01";
/// Sent by the new process when everything in it is ready.
pub(super) const READY: u8 = b'r';
/// Sent by the old process when the new one may serve.
pub(super) const SERVE: u8 = b's';

const LISTENER: u8 = b'l';
const HEALTH: u8 = b'h';
const END: u8 = b'.';

/// Kind, whether it is kept, and the lengths of the name and of the path.
const HEAD: usize = 10;
/// No name and no path is longer.
const LONGEST: usize = 64 * 1024;

/// A reader that is gone is an error, and not a SIGPIPE. Apple's systems lack the flag, and std ignores the signal.
#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::empty();

/// Sends the sockets.
///
/// # Errors
///
/// If the new process is gone, or does not read within the stream's limit.
pub(super) fn send(stream: &UnixStream, sockets: &[Handed]) -> io::Result<()> {
    (&*stream).write_all(GREETING)?;
    for Handed { purpose, name, fd, is_kept, file } in sockets {
        let kind = match purpose {
            Purpose::Listener => LISTENER,
            Purpose::Health => HEALTH,
        };
        let file = file.as_ref().map_or(&[][..], |file| file.as_os_str().as_bytes());
        let head = head(kind, *is_kept, name.len(), file.len())?;
        let fds = [fd.as_fd()];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)), "the space is for one descriptor");
        let sent = sendmsg(stream, &[IoSlice::new(&head)], &mut ancillary, SEND)?;
        (&*stream).write_all(&head[sent..])?;
        (&*stream).write_all(name.as_bytes())?;
        (&*stream).write_all(file)?;
    }
    (&*stream).write_all(&head(END, false, 0, 0)?)
}

fn head(kind: u8, is_kept: bool, name: usize, file: usize) -> io::Result<[u8; HEAD]> {
    if name.max(file) > LONGEST {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name of a listener is too long to be handed over",
        ));
    }
    let mut head = [0; HEAD];
    head[0] = kind;
    head[1] = u8::from(is_kept);
    head[2..6].copy_from_slice(&u32::try_from(name).expect("it is not that long").to_be_bytes());
    head[6..].copy_from_slice(&u32::try_from(file).expect("it is not that long").to_be_bytes());
    Ok(head)
}

/// Receives the sockets.
///
/// # Errors
///
/// If the old process is gone, or does not send what is expected.
pub(super) fn receive(stream: &UnixStream) -> io::Result<Vec<Handed>> {
    let mut greeting = [0; GREETING.len()];
    (&*stream).read_exact(&mut greeting)?;
    if greeting != *GREETING {
        return Err(io::Error::other("it has a version of canstop with another protocol; restart the program instead"));
    }
    let mut sockets = Vec::new();
    loop {
        let (head, fd) = receive_head(stream)?;
        let length = |bytes: &[u8]| bytes.iter().fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
        let (name, file) = (length(&head[2..6]), length(&head[6..]));
        let unexpected = || io::Error::new(io::ErrorKind::InvalidData, "it sent something unexpected");
        if name.max(file) > LONGEST {
            return Err(unexpected());
        }
        let purpose = match head[0] {
            LISTENER => Purpose::Listener,
            HEALTH => Purpose::Health,
            END => return Ok(sockets),
            _ => return Err(unexpected()),
        };
        let mut text = vec![0; name + file];
        (&*stream).read_exact(&mut text)?;
        let file = text.split_off(name);
        let file = (!file.is_empty()).then(|| PathBuf::from(OsString::from_vec(file)));
        let name = String::from_utf8(text).map_err(|_| unexpected())?;
        sockets.push(Handed { purpose, name, fd: fd.ok_or_else(unexpected)?, is_kept: head[1] != 0, file });
    }
}

fn receive_head(stream: &UnixStream) -> io::Result<([u8; HEAD], Option<OwnedFd>)> {
    let mut head = [0; HEAD];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match recvmsg(stream, &mut [IoSliceMut::new(&mut head)], &mut ancillary, RecvFlags::empty()) {
            Ok(received) => break received.bytes,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    if received == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut fd = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            fd = fds.last().or(fd);
        }
    }
    if let Some(fd) = &fd {
        fcntl_setfd(fd, FdFlags::CLOEXEC)?;
    }
    (&*stream).read_exact(&mut head[received..])?;
    Ok((head, fd))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn handed(purpose: Purpose, name: &str, is_kept: bool, file: Option<&str>) -> (Handed, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let file = file.map(PathBuf::from);
        (Handed { purpose, name: name.to_owned(), fd: listener.into(), is_kept, file }, port)
    }

    #[test]
    fn sockets_arrive_with_their_names_and_files() {
        let (sent, ports): (Vec<_>, Vec<_>) = [
            handed(Purpose::Listener, "http", false, None),
            handed(Purpose::Listener, "über:\n", true, Some("/run/shop.sock")),
            handed(Purpose::Health, "", false, None),
        ]
        .into_iter()
        .unzip();
        let (ours, theirs) = UnixStream::pair().unwrap();
        send(&ours, &sent).unwrap();
        (&ours).write_all(&[SERVE]).unwrap();
        let received = receive(&theirs).unwrap();
        assert_eq!(received.len(), sent.len());
        for ((before, after), port) in sent.into_iter().zip(received).zip(ports) {
            let of = |handed: &Handed| (handed.purpose, handed.name.clone(), handed.is_kept, handed.file.clone());
            assert_eq!(of(&before), of(&after));
            let flags = rustix::io::fcntl_getfd(&after.fd).unwrap();
            assert!(flags.contains(FdFlags::CLOEXEC));
            assert_eq!(TcpListener::from(after.fd).local_addr().unwrap().port(), port);
        }
        let mut next = [0];
        (&theirs).read_exact(&mut next).unwrap();
        assert_eq!(next, [SERVE], "what follows the list is left in the stream");
    }

    #[test]
    fn a_cut_list_and_another_version_are_errors() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (&ours).write_all(GREETING).unwrap();
        (&ours).write_all(&head(LISTENER, false, 4, 0).unwrap()).unwrap();
        drop(ours);
        assert_eq!(receive(&theirs).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);

        let (ours, theirs) = UnixStream::pair().unwrap();
        (&ours).write_all(b"canstop\x02").unwrap();
        let error = receive(&theirs).unwrap_err().to_string();
        assert!(error.contains("another protocol"), "{error}");

        let (ours, theirs) = UnixStream::pair().unwrap();
        (&ours).write_all(GREETING).unwrap();
        (&ours).write_all(&head(LISTENER, false, 0, 0).unwrap()).unwrap();
        assert_eq!(receive(&theirs).unwrap_err().kind(), io::ErrorKind::InvalidData, "there is no descriptor");
    }
}
