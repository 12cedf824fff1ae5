//! The wrapper around a session's future.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::JoinHandle;

use super::counter::Kind;
use super::membership::Membership;
use super::output::OutputObserver;
use super::scope::{Scope, expect_scope};
use super::site::Site;
use super::thread::{self, this_thread};
use crate::machine::ExitReason;

pin_project! {
    /// A session: the user's future, pinned in place, and its membership, dropped after it.
    ///
    /// An `async` block around the future would hold it twice. The second state costs no byte, as
    /// it hides in the membership's word.
    #[project = TrackedProjection]
    #[project_replace = TrackedOwned]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub(super) enum Tracked<F, O> {
        Alive {
            #[pin]
            future: F,
            observer: O,
            membership: Membership,
        },
        Over,
    }
}

/// What a session that was given up ends with: its `JoinHandle` sees a panic with this payload.
#[derive(Debug)]
struct SessionAbandoned;

impl<F, O> Future for Tracked<F, O>
where
    F: Future,
    O: OutputObserver<F::Output>,
{
    type Output = F::Output;

    // Into the runtime's own poll, which is the only one to call it.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let TrackedProjection::Alive { future, observer, membership } = self.as_mut().project() else {
            return Poll::Pending;
        };
        let thread = this_thread();
        if membership.is_abandoned(thread) {
            return self.give_up();
        }
        // Taken before the user's code runs, which may put another waker into the context.
        let waker = cx.waker();
        let polling = membership.poll(thread, waker);
        let poll = future.poll(cx);
        match poll {
            Poll::Ready(output) => {
                if let Some(error) = observer.error(&output) {
                    membership.report(ExitReason::Failed(error));
                }
                // What it drops is still the session's own.
                let over = self.project_replace(Tracked::Over);
                drop(polling);
                if let TrackedOwned::Alive { membership, .. } = over {
                    membership.end(thread);
                }
                Poll::Ready(output)
            }
            Poll::Pending => {
                drop(polling);
                membership.wait(waker, thread);
                Poll::Pending
            }
        }
    }
}

impl<F, O> Tracked<F, O> {
    /// Drops the future in place and ends the task without an output.
    ///
    /// The future goes before the unwinding begins, so that a destructor that panics is a panic and
    /// not the end of the process. `resume_unwind` runs no panic hook; where panics abort, the task
    /// stays, empty, until its runtime ends.
    #[cold]
    fn give_up<T>(mut self: Pin<&mut Self>) -> Poll<T> {
        {
            let TrackedProjection::Alive { membership, .. } = self.as_mut().project() else {
                return Poll::Pending;
            };
            let _polling = membership.poll(this_thread(), std::ptr::null());
            membership.give_up();
            self.set(Tracked::Over);
        }
        if cfg!(panic = "unwind") {
            resume_unwind(Box::new(SessionAbandoned));
        }
        Poll::Pending
    }
}

/// Spawns a session: on the data plane where this is one of its threads, else on the current runtime.
///
/// The data plane is asked by its handle, because `tokio::spawn` looks the runtime up with the task in its
/// hands, and one that has a destructor is moved about for that, at some seventy instructions.
///
/// # Panics
///
/// Outside a supervisor.
#[track_caller]
#[inline]
pub(super) fn spawn_session<F, O>(site: &'static Site, future: F, observer: O) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    O: OutputObserver<F::Output> + Send + 'static,
{
    let scope = expect_scope("`spawn_session!`");
    let Some(data_plane) = thread::data_plane() else {
        return spawn_on_current(site, scope, future, observer);
    };
    let membership = Membership::begin(site, scope, Kind::Session);
    data_plane.spawn(Tracked::Alive { future, observer, membership })
}

#[cold]
#[track_caller]
fn spawn_on_current<F, O>(site: &'static Site, scope: &'static Scope, future: F, observer: O) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    O: OutputObserver<F::Output> + Send + 'static,
{
    let membership = thread::visit(|_| Membership::begin(site, scope, Kind::Session));
    tokio::spawn(Tracked::Alive { future, observer, membership })
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::{Mutex, mpsc};
    use tokio::time::{sleep, timeout};

    use super::super::output::NotAResult;
    use super::*;

    async fn echo(mut socket: TcpStream) -> std::io::Result<()> {
        let mut buffer = [0; 1_024];
        loop {
            let read = socket.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            socket.write_all(&buffer[..read]).await?;
        }
    }

    async fn connect_and_echo() -> std::io::Result<()> {
        echo(TcpStream::connect("127.0.0.1:7").await?).await
    }

    async fn first_of_two() {
        tokio::select! {
            () = sleep(Duration::from_secs(1)) => {}
            () = pending() => {}
        }
    }

    async fn consume(mut queue: mpsc::Receiver<[u64; 4]>, sum: &'static Mutex<u64>) {
        while let Some(item) = queue.recv().await {
            *sum.lock().await += item.iter().sum::<u64>();
        }
    }

    static SUM: Mutex<u64> = Mutex::const_new(0);

    /// The size of a future, of the session around it, and what alignment lets that be larger. Neither is
    /// ever run.
    fn sizes<F>(name: &'static str, _: impl FnOnce(TcpStream) -> F) -> (&'static str, usize, usize, usize) {
        (name, size_of::<F>(), size_of::<Tracked<F, NotAResult>>(), align_of::<F>().max(8))
    }

    #[test]
    fn a_session_is_eight_bytes_larger_than_its_future() {
        let sizes = [
            sizes("echo", echo),
            sizes("connect and echo", |_| connect_and_echo()),
            sizes("timeout", |socket| timeout(Duration::from_secs(1), echo(socket))),
            sizes("nested timeouts", |socket| {
                timeout(Duration::from_secs(2), timeout(Duration::from_secs(1), echo(socket)))
            }),
            sizes("select", |_| first_of_two()),
            sizes("join", |socket| async { tokio::join!(echo(socket), first_of_two()) }),
            sizes("boxed", |socket| Box::pin(echo(socket)) as Pin<Box<dyn Future<Output = std::io::Result<()>>>>),
            sizes("sleep", |_| sleep(Duration::from_secs(1))),
            sizes("queue", |_| consume(mpsc::channel(1).1, &SUM)),
            sizes("ready", |_| std::future::ready(String::new())),
            sizes("aligned to sixteen bytes", |_| std::future::ready(0_u128)),
            sizes("block that owns a socket", |socket| async move {
                let _ = echo(socket).await;
            }),
        ];
        for (name, future, session, more) in sizes {
            assert!(session <= future + more, "{name}: a future of {future} bytes makes a session of {session}");
        }
        assert!(sizes[0].1 > 1_024, "the buffer is part of the future");
    }
}
