//! A session: the wrapper around a future, and that around a closure.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::JoinHandle;

use super::current::expect_scope;
use super::membership::Membership;
use super::output::OutputObserver;
use super::scope::{Kind, Scope};
use super::site::Site;
use super::spans::{in_blocking_span, in_session_span};
use super::task;
use super::thread::{self, this_thread};
use crate::machine::ExitReason;

pin_project! {
    /// A session: the user's future, pinned in place, and its membership, dropped after it.
    ///
    /// An `async` block around the future would hold it twice. The second state costs no byte, because the
    /// membership's word is never zero.
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

/// The payload of the panic with which an abandoned session ends for its `JoinHandle`.
#[derive(Debug)]
struct SessionAbandoned;

impl<F, O> Future for Tracked<F, O>
where
    F: Future,
    O: OutputObserver<F::Output>,
{
    type Output = F::Output;

    // Inlined into the runtime's poll, its only caller.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let TrackedProjection::Alive { future, observer, membership } = self.as_mut().project() else {
            return Poll::Pending;
        };
        let thread = this_thread();
        if membership.is_abandoned(thread) {
            return self.abandon();
        }
        // Read before the user's code runs, which may put another waker into the context.
        let waker = cx.waker();
        let polling = membership.poll(thread, waker);
        let poll = future.poll(cx);
        match poll {
            Poll::Ready(output) => {
                if let Some(error) = observer.error(&output) {
                    membership.report(ExitReason::Failed(error));
                }
                let has_destructor = observer.has_destructor(&output);
                // Destructors of the future are part of the session.
                let over = self.project_replace(Tracked::Over);
                drop(polling);
                if let TrackedOwned::Alive { membership, .. } = over {
                    if has_destructor {
                        membership.drop_output_next(thread);
                    }
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
    /// The future is dropped before the unwinding begins, so that a destructor that panics does not end the
    /// process. `resume_unwind` runs no panic hook; where panics abort, the task stays, empty, until its runtime
    /// ends.
    #[cold]
    fn abandon<T>(mut self: Pin<&mut Self>) -> Poll<T> {
        {
            let TrackedProjection::Alive { membership, .. } = self.as_mut().project() else {
                return Poll::Pending;
            };
            let _polling = membership.poll(this_thread(), ptr::null());
            membership.count_if_cancelled();
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
/// The data plane spawns by its handle: `tokio::spawn` first looks up the runtime, and meanwhile moves a task that
/// has a destructor, which costs some seventy instructions.
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
    let future = in_session_span(site, scope, future);
    let membership = Membership::begin(site, scope, Kind::Session);
    data_plane.spawn(|| site.task_name(), Tracked::Alive { future, observer, membership })
}

#[cold]
#[track_caller]
fn spawn_on_current<F, O>(site: &'static Site, scope: &'static Scope, future: F, observer: O) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    O: OutputObserver<F::Output> + Send + 'static,
{
    let future = in_session_span(site, scope, future);
    let membership = thread::visit(|_| Membership::begin(site, scope, Kind::Session));
    task::spawn(|| site.task_name(), Tracked::Alive { future, observer, membership })
}

/// Runs a closure on the blocking pool, as a session.
///
/// It cannot be dropped once it runs: one that does not end in time is named, and left running.
///
/// # Panics
///
/// Outside a supervisor.
#[track_caller]
pub(super) fn spawn_blocking_session<F, T, O>(site: &'static Site, closure: F, observer: O) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    O: OutputObserver<T> + Send + 'static,
{
    let scope = expect_scope("`spawn_blocking_session!`");
    let closure = in_blocking_span(site, scope, closure);
    let membership = thread::visit(|_| Membership::begin(site, scope, Kind::Blocking));
    let session = BlockingSession { closure, observer, membership };
    task::spawn_blocking(|| site.task_name(), move || session.run())
}

/// A closure and its membership, dropped in this order: a session that is aborted before it runs is alive until
/// its captures are dropped.
pub(super) struct BlockingSession<F, O> {
    pub(super) closure: F,
    pub(super) observer: O,
    pub(super) membership: Membership,
}

impl<F, O> BlockingSession<F, O> {
    pub(super) fn run<T>(self) -> T
    where
        F: FnOnce() -> T,
        O: OutputObserver<T>,
    {
        // Dropped in reverse order: the thread stops publishing the session before that has ended.
        let Self { closure, observer, membership } = self;
        let _polling = membership.poll(this_thread(), ptr::null());
        let output = closure();
        if let Some(error) = observer.error(&output) {
            membership.report(ExitReason::Failed(error));
        }
        output
    }
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

    /// The size of a future, of the session around it, and by how much alignment lets that be larger. Neither is
    /// ever polled.
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
