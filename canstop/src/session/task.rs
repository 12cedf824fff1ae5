//! Spawning tasks that tokio-console shows by name.
//!
//! Names exist only in builds with `--cfg tokio_unstable`. In any other build these are tokio's own functions, and
//! no name is made.

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Spawns a task on a runtime.
#[track_caller]
#[inline(always)]
pub(crate) fn spawn_on<F>(runtime: &Handle, name: impl FnOnce() -> String, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    #[cfg(tokio_unstable)]
    return named(&name()).spawn_on(future, runtime).expect("only a name that is too long is refused");
    #[cfg(not(tokio_unstable))]
    {
        let _ = name;
        runtime.spawn(future)
    }
}

/// Spawns a task on the current runtime.
#[track_caller]
#[inline(always)]
pub(super) fn spawn<F>(name: impl FnOnce() -> String, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    #[cfg(tokio_unstable)]
    return named(&name()).spawn(future).expect("only a name that is too long is refused");
    #[cfg(not(tokio_unstable))]
    {
        let _ = name;
        tokio::spawn(future)
    }
}

/// Runs a closure on the blocking pool of the current runtime.
#[track_caller]
#[inline(always)]
pub(super) fn spawn_blocking<T>(
    name: impl FnOnce() -> String,
    closure: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T>
where
    T: Send + 'static,
{
    #[cfg(tokio_unstable)]
    return named(&name()).spawn_blocking(closure).expect("the system has threads");
    #[cfg(not(tokio_unstable))]
    {
        let _ = name;
        tokio::task::spawn_blocking(closure)
    }
}

#[cfg(tokio_unstable)]
fn named(name: &str) -> tokio::task::Builder<'_> {
    tokio::task::Builder::new().name(name)
}
