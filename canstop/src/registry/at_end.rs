//! The end of the body of `#[canstop::main]`: the services run while its locals are still alive.
//!
//! The attribute inserts an [`AtEnd`] where the body would return. If `run()` was not called, that future
//! never returns: [`App::run`](crate::App::run) sees that the body waits at its end, runs the services,
//! and drops the body, with its locals, after the last line of the report.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::failure::install_hook_again;
use crate::session::Supervisor;

/// The value that `main` is about to return.
#[derive(Debug)]
pub struct AtEnd<R>(pub R);

/// An error starts nothing.
impl<T, E> AtEnd<Result<T, E>> {
    /// Runs the services, unless this is an error.
    #[expect(clippy::missing_errors_doc, reason = "it gives back what it was given")]
    pub async fn run(self) -> Result<T, E> {
        if self.0.is_ok() {
            wait_at_end().await;
        }
        self.0
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "a trait that others cannot name is one that they cannot implement")]
    pub trait Sealed {}

    impl<R> Sealed for super::AtEnd<R> {}
}

/// Any other output. The inherent method above takes precedence.
pub trait AnyOutput: sealed::Sealed + Sized {
    /// The output of `main`.
    type Output;
    /// Runs the services.
    fn run(self) -> impl Future<Output = Self::Output>;
}

impl<R> AnyOutput for AtEnd<R> {
    type Output = R;

    async fn run(self) -> R {
        wait_at_end().await;
        self.0
    }
}

/// What polls on this thread, and the state of the body.
#[derive(Clone, Copy)]
enum Polled {
    /// Not `App::run`.
    Elsewhere,
    By(&'static Supervisor),
    /// The body waits at its end.
    AtEnd,
}

thread_local! {
    static POLLED: Cell<Polled> = const { Cell::new(Polled::Elsewhere) };
}

/// Waits forever if the services must still run. Returns at once if `run()` was called or the body does not run under
/// an `App`.
async fn wait_at_end() {
    poll_fn(|_| match POLLED.get() {
        Polled::By(supervisor) if !supervisor.is_run_called() => {
            // By now the program has set its own hook, if it has one.
            install_hook_again();
            POLLED.set(Polled::AtEnd);
            Poll::Pending
        }
        Polled::AtEnd => Poll::Pending,
        Polled::By(_) | Polled::Elsewhere => Poll::Ready(()),
    })
    .await;
}

/// Polls the body of `main`. Ready with `None` if it waits at its end.
pub(crate) fn poll_to_end<F: Future>(
    supervisor: &'static Supervisor,
    body: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<Option<F::Output>> {
    let outer = POLLED.replace(Polled::By(supervisor));
    let polled = body.poll(context);
    match (polled, POLLED.replace(outer)) {
        (Poll::Ready(output), _) => Poll::Ready(Some(output)),
        (Poll::Pending, Polled::AtEnd) => Poll::Ready(None),
        (Poll::Pending, _) => Poll::Pending,
    }
}
