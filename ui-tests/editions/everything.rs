//! Services and sessions in all their forms, in every edition: under every lint that a careful crate
//! sets, and clippy's pedantic ones.

#![deny(warnings, missing_docs, rust_2018_idioms, unreachable_pub, unused_qualifications)]
#![deny(clippy::all, clippy::pedantic)]
#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use canstop::{Lifecycle, Service, ServiceHandle, spawn_blocking_session, spawn_session};

/// State that can be cloned.
#[derive(Clone, Copy, Debug)]
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
#[canstop::service(manual)]
pub async fn plain(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

/// State, a pattern and an error of its own.
#[canstop::service(after(plain, "of_a_function"), grace = "1s")]
pub async fn writer(lifecycle: Lifecycle, pool: Pool, (from, to): (u32, u32)) -> Result<(), Broken> {
    lifecycle.ready();
    lifecycle.stopping().await;
    println!("{pool:?}");
    if from > to { Err(Broken) } else { Ok(()) }
}

/// Parameters that are not used.
#[canstop::service]
pub async fn unused(_lifecycle: Lifecycle, _pool: Pool, _: u32) {
    tokio::task::yield_now().await;
}

/// Generic, with a bound in its own place.
#[canstop::service]
pub async fn generic<T, const N: usize>(lifecycle: Lifecycle, state: Arc<[T; N]>)
where
    T: Send + Sync + 'static,
{
    lifecycle.stopping().await;
    drop(state);
}

/// `impl Trait` as state.
#[canstop::service]
pub async fn of_a_function(lifecycle: Lifecycle, call: impl Fn() + Clone + Send + Sync + 'static) {
    lifecycle.stopping().await;
    call();
}

/// A runtime of its own, and options that are expressions.
#[canstop::service(own_runtime, grace = GRACE, limit = (2, Duration::from_secs(9)), name = NAME.to_owned())]
pub async fn apart(lifecycle: Lifecycle, pool: Pool) {
    lifecycle.stopping().await;
    println!("{pool:?}");
}

const GRACE: Duration = Duration::from_secs(1);
const NAME: &str = "apart";

/// Raw identifiers.
#[canstop::service(manual)]
pub async fn r#loop(r#type: Lifecycle) {
    r#type.stopping().await;
}

/// It never returns.
#[canstop::service(cancel, manual)]
pub async fn for_ever() -> ! {
    std::future::pending().await
}

/// Not `async`, and yet a future.
#[canstop::service(manual)]
pub fn promised(lifecycle: Lifecycle) -> impl Future<Output = Result<(), Broken>> + Send {
    let started = Instant::now();
    async move {
        lifecycle.stopping().await;
        if started.elapsed() < Duration::MAX { Ok(()) } else { Err(Broken) }
    }
}

/// It blocks.
#[canstop::service(blocking, manual)]
pub fn blocks(lifecycle: Lifecycle) {
    while !lifecycle.is_stopping() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// It blocks for ever, once.
#[canstop::service(blocking, restart = "never")]
pub fn blocks_for_ever(_lifecycle: Lifecycle, socket: Socket) -> ! {
    println!("{socket:?}");
    loop {
        std::thread::park();
    }
}

/// It runs once, and owns what cannot be cloned.
#[canstop::service(restart = "never")]
pub async fn once(lifecycle: Lifecycle, mut socket: Socket) {
    lifecycle.stopping().await;
    drop(std::mem::replace(&mut socket, Socket));
}

/// It does on purpose what it would be warned of.
#[canstop::service(manual, allow(raw_spawn, blocking_call))]
pub async fn knows_better(lifecycle: Lifecycle) {
    tokio::spawn(async {});
    std::thread::sleep(Duration::ZERO);
    lifecycle.stopping().await;
}

#[cfg(any())]
#[canstop::service]
/// It does not exist.
pub async fn absent(_lifecycle: Nothing) {}

/// Attributes above and below.
#[allow(clippy::unused_async)]
#[canstop::service(manual)]
#[cfg_attr(all(), must_use = "it is shown")]
#[expect(unused_variables, reason = "that is what is shown")]
pub async fn attributes(lifecycle: Lifecycle, state: Pool) {}

/// A span around each run, by an attribute that the service's sees.
#[tracing::instrument(skip_all)]
#[canstop::service(manual)]
pub async fn instrumented_above(lifecycle: Lifecycle) {
    lifecycle.ready();
    lifecycle.stopping().await;
}

/// A span around each run, by an attribute that sees the function alone.
#[canstop::service(manual)]
#[tracing::instrument(skip(lifecycle))]
pub async fn instrumented_below(lifecycle: Lifecycle, pool: Pool) -> anyhow::Result<()> {
    lifecycle.stopping().await;
    Ok(())
}

/// In a function body.
#[must_use]
pub fn start_inner(lifecycle: &Lifecycle) -> ServiceHandle {
    #[canstop::service(manual)]
    async fn inner(lifecycle: Lifecycle) {
        lifecycle.stopping().await;
    }

    lifecycle.start(inner())
}

macro_rules! declare {
    ($(#[$doc:meta])* $name:ident($lifecycle:ident: $type:ty) $body:block) => {
        $(#[$doc])*
        #[canstop::service(manual)]
        pub async fn $name($lifecycle: $type) $body
    };
}

declare! {
    /// By a macro of the program's own.
    by_macro(lifecycle: Lifecycle) {
        lifecycle.stopping().await;
    }
}

async fn work(n: u32) -> Result<u32, Broken> {
    tokio::task::yield_now().await;
    Ok(n)
}

/// Sessions in all their forms.
///
/// # Errors
///
/// If a session panics.
pub async fn sessions() -> Result<u32, tokio::task::JoinError> {
    let (peer, id) = ("127.0.0.1:80", 7);
    spawn_session!(work(1));
    spawn_session!("named", work(2));
    spawn_session!(grace = "100ms", work(3),);
    spawn_session!("both", grace = "100ms", async move { work(4).await }, %peer, id = 7, ?id, deep.name = %peer);
    spawn_session!(async { Err::<(), Broken>(Broken) });
    spawn_session!(async { Ok::<(), anyhow::Error>(()) });
    let endless = spawn_session!(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    endless.abort();
    let answer: u32 = spawn_session!(async { 35 }).await?;
    spawn_blocking_session!("sum", move || answer + id, answer).await
}

/// A `main` under another name.
#[must_use = "it is what the program exits with"]
#[canstop::main(grace = "1s", flavor = "current_thread")]
pub async fn run() -> anyhow::Result<()> {
    canstop::start(plain());
    canstop::start(writer(Pool, (1, 2)));
    let answer = sessions().await?;
    anyhow::ensure!(answer == 42, "the answer is {answer}");
    Ok(())
}

/// A service by hand, after one with the attribute.
pub fn by_hand() -> Service<()> {
    Service::new("by hand", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }).after(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use canstop::Exit;
    use canstop::testing::Supervisor;

    #[canstop::test(grace = "2s")]
    async fn every_service_that_hears_the_stop_ends_clean(mut sup: Supervisor) {
        sup.start(plain());
        sup.start(writer(Pool, (1, 2)));
        sup.start(unused(Pool, 1));
        sup.start(generic(Arc::new([1, 2])));
        sup.start(of_a_function(|| ()));
        sup.start(r#loop());
        sup.start(for_ever());
        sup.start(promised());
        sup.start(once(Socket));
        sup.start(knows_better());
        sup.start(attributes(Pool));
        sup.start(instrumented_above());
        sup.start(instrumented_below(Pool));
        sup.start(by_macro());
        sup.start(by_hand());
        let report = sup.stop().await;
        assert_eq!(report.exit, Exit::Clean, "{report}");
    }

    #[canstop::test]
    async fn sessions_give_what_their_work_gives() -> anyhow::Result<()> {
        anyhow::ensure!(sessions().await? == 42);
        Ok(())
    }
}
