//! Services in all their forms, under every lint that a careful crate sets.
#![deny(warnings, missing_docs)]
#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use canstop::{App, Lifecycle, Service};

/// State that can be cloned.
#[derive(Clone, Debug)]
pub struct Pool;

/// State that cannot.
#[derive(Debug)]
pub struct Socket;

/// An error of the program's own.
#[derive(Debug)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

/// Nothing but a lifecycle.
#[canstop::service]
pub async fn plain(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

/// Every option that goes with the others.
#[canstop::service(
    name = "web",
    restart = "always",
    backoff = "10ms..1s",
    limit = "3 in 10s",
    grace = "1s",
    start_timeout = "2s",
    ready = "notify",
    after(plain, self::writer),
    optional,
    manual,
    allow(raw_spawn, blocking_call)
)]
pub async fn all_options(lifecycle: Lifecycle) -> anyhow::Result<()> {
    lifecycle.ready();
    lifecycle.stopping().await;
    Ok(())
}

/// State, a pattern and an error of its own.
#[canstop::service]
pub async fn writer(lifecycle: Lifecycle, pool: Pool, (from, to): (u32, u32)) -> Result<(), Broken> {
    lifecycle.stopping().await;
    if from > to { Err(Broken) } else { Ok(drop(pool)) }
}

/// Generic, with a bound in its own place.
#[canstop::service]
pub async fn generic<T>(lifecycle: Lifecycle, state: Arc<T>)
where
    T: Send + Sync + 'static,
{
    lifecycle.stopping().await;
    drop(state);
}

/// `impl Trait` as state.
#[canstop::service]
pub async fn of_a_function(_lifecycle: Lifecycle, call: impl Fn() + Clone + Send + Sync + 'static) {
    call();
}

/// A raw identifier.
#[canstop::service(manual)]
pub async fn r#loop(_lifecycle: Lifecycle) {}

/// It never returns.
#[canstop::service(cancel)]
pub async fn for_ever() -> ! {
    std::future::pending().await
}

/// Not `async`, and yet a future.
#[canstop::service]
pub fn promised(lifecycle: Lifecycle) -> impl Future<Output = Result<(), Broken>> + Send {
    async move {
        lifecycle.stopping().await;
        Ok(())
    }
}

/// It blocks.
#[canstop::service(blocking)]
pub fn blocks(lifecycle: Lifecycle) {
    while !lifecycle.is_stopping() {
        std::thread::yield_now();
    }
}

/// It runs once, and owns what cannot be cloned.
#[canstop::service(restart = "never")]
pub async fn once(lifecycle: Lifecycle, mut socket: Socket) {
    lifecycle.stopping().await;
    drop(std::mem::replace(&mut socket, Socket));
}

#[cfg(any())]
#[canstop::service]
/// It does not exist.
pub async fn absent(_lifecycle: Nothing) {}

/// Attributes above and below.
#[allow(clippy::unused_async)]
#[canstop::service(manual)]
#[cfg_attr(all(), must_use)]
#[expect(unused_variables, reason = "that is what is shown")]
pub async fn attributes(lifecycle: Lifecycle, state: Pool) {}

fn main() {
    /// In a function body.
    #[canstop::service(manual)]
    async fn inner(_lifecycle: Lifecycle) {}

    let _ = App::new()
        .service(inner())
        .service(writer(Pool, (1, 2)).name("another writer"))
        .service(generic(Arc::new(1)))
        .service(of_a_function(|| ()))
        .service(r#loop())
        .service(once(Socket))
        .service(attributes(Pool))
        .service(all_options())
        .service(Service::new("by hand", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }).after(plain));
}
