//! The bytes of a connection, and their counts.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::accept::Accept;
use crate::session::request_phase::Phase;
use crate::session::requests::Exchange;

/// The first bytes of every HTTP/2 connection.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// After the end, the server reads on until the client has been silent for this long, so that the client gets the
/// response before a reset.
const LINGER: Duration = Duration::from_millis(250);
/// The most that is read after the end. Small pieces count as larger ones; otherwise a client that trickles could
/// keep the connection open for long.
const LINGER_BYTES: usize = 256 * 1024;
const LINGER_PIECE: usize = 16 * 1024;
/// A head and a body that are together at most this long are sent from one buffer: the kernel takes longer to gather
/// them than a copy takes.
const SMALL: usize = 1024;

/// The protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// A connection's bytes. It replays the bytes that were read to detect the protocol, and counts transfers in the
/// [`Exchange`].
pub(super) struct Io<A: Accept> {
    stream: A::Io,
    exchange: Arc<Exchange>,
    /// The bytes read of the preface, and how many of them are still to be replayed.
    preface: [u8; 24],
    read: u8,
    given: u8,
    linger: Option<Linger>,
}

/// How long, and how much, is read after the end.
struct Linger {
    sleep: Pin<Box<Sleep>>,
    left: usize,
}

impl<A: Accept> Io<A> {
    pub(super) fn new(stream: A::Io, exchange: Arc<Exchange>) -> Self {
        Self { stream, exchange, preface: [0; 24], read: 0, given: 0, linger: None }
    }

    /// Reads until the protocol is known; `None` if the client disconnects before.
    pub(super) fn poll_protocol(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Protocol>>> {
        loop {
            let read = usize::from(self.read);
            if self.preface[..read] != PREFACE[..read] {
                return Poll::Ready(Ok(Some(Protocol::Http1)));
            }
            if read == PREFACE.len() {
                return Poll::Ready(Ok(Some(Protocol::Http2)));
            }
            let mut buffer = ReadBuf::new(&mut self.preface[read..]);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            let more = buffer.filled().len();
            if more == 0 {
                return Poll::Ready(Ok(None));
            }
            self.exchange.received(more);
            self.read += u8::try_from(more).expect("the buffer has 24 bytes");
        }
    }
}

impl<A: Accept> Drop for Io<A> {
    fn drop(&mut self) {
        self.exchange.close();
    }
}

impl<A: Accept> AsyncRead for Io<A> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.given < this.read {
            let rest = &this.preface[usize::from(this.given)..usize::from(this.read)];
            let now = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..now]);
            this.given += u8::try_from(now).expect("the preface has 24 bytes");
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                let read = buffer.filled().len() - before;
                if read > 0 {
                    this.exchange.received(read);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let waits = matches!(this.exchange.phase(), Phase::Fresh | Phase::Idle);
                // Bytes that arrived before the stop are a request to answer, even if the runtime has not been
                // notified of them.
                if waits && this.exchange.is_stopping() && A::has_unread(&this.stream) {
                    this.exchange.begin_head();
                }
                Poll::Pending
            }
        }
    }
}

impl<A: Accept> Io<A> {
    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.exchange.moved(*bytes);
        }
        written
    }
}

/// Copies the pieces into the buffer, one after the other. Returns `None` if they do not fit.
fn gather<'a>(pieces: &[IoSlice<'_>], buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let length = pieces.iter().map(|piece| piece.len()).sum();
    let gathered = buffer.get_mut(..length)?;
    let mut rest = &mut *gathered;
    for piece in pieces {
        let (place, after) = rest.split_at_mut(piece.len());
        place.copy_from_slice(piece);
        rest = after;
    }
    Some(gathered)
}

impl<A: Accept> AsyncWrite for Io<A> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut small = [0; SMALL];
        let written = match gather(pieces, &mut small) {
            Some(bytes) => Pin::new(&mut self.stream).poll_write(cx, bytes),
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, pieces),
        };
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Shuts down the sending side. The rest of an incomplete request is read and dropped: a close with unread bytes
    /// is a reset, which would overtake the response.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if !this.exchange.has_unread_body() {
                return Poll::Ready(Ok(()));
            }
        }
        let linger = this.linger.get_or_insert_with(|| Linger { sleep: Box::pin(sleep(LINGER)), left: LINGER_BYTES });
        let mut scratch = [0; 1024];
        let mut has_read = false;
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let piece = if has_read { buffer.filled().len() } else { LINGER_PIECE };
                    has_read = true;
                    linger.left = linger.left.saturating_sub(piece);
                    if linger.left == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
        }
        if has_read {
            linger.sleep.as_mut().reset(Instant::now() + LINGER);
        }
        linger.sleep.as_mut().poll(cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(pieces: &[&[u8]], room: usize) -> Option<Vec<u8>> {
        let pieces: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        gather(&pieces, &mut vec![0; room]).map(<[u8]>::to_vec)
    }

    #[test]
    fn pieces_that_fit_are_gathered() {
        assert_eq!(gathered(&[b"head", b"", b"body"], 8).unwrap(), b"headbody");
        assert_eq!(gathered(&[], 8).unwrap(), b"");
    }

    #[test]
    fn pieces_that_do_not_fit_are_left_to_the_kernel() {
        assert_eq!(gathered(&[b"head", b"body"], 7), None);
        assert_eq!(gathered(&[b"head and body"], 8), None);
    }
}
