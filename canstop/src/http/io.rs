//! The bytes of a connection, as they are counted.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::accept::Accept;
use crate::session::requests::{Exchange, Phase};

/// What every HTTP/2 connection begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A client that still sends when its connection is closed is read until it has been silent for so long, so that
/// it gets the answer before a reset.
const LINGER: Duration = Duration::from_millis(250);
/// And so much is read of it at most. Small pieces count as larger ones, or a client that trickles would keep
/// the connection for long.
const LINGER_BYTES: usize = 256 * 1024;
const LINGER_PIECE: usize = 16 * 1024;

/// The protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// A connection's bytes. It gives back what was read to find out the protocol, and notes in the
/// [`Exchange`] what comes and goes.
pub(super) struct Io<A: Accept> {
    stream: A::Io,
    exchange: Arc<Exchange>,
    /// What was read of the preface, and how much of it is to be given out again.
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

    /// Reads until it is clear which protocol this is; `None` if the client ends before.
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
                // What came before a stop is a request to answer, also where the runtime has not heard of it.
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
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Ends what is sent. Where the client has not sent all of its request, the rest is read and dropped:
    /// a close with unread bytes is a reset, and the reset would overtake the answer.
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
