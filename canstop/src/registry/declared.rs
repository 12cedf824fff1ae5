//! The calls that `#[canstop::service]` expands to, and the compiler's checks of a service function.
//!
//! Each part of the user's code is an argument of its own, a type as a type argument and a call as an argument, so
//! that the compiler reports errors at that part. [`Service`]'s own constructors require the same of a closure, in
//! which no part has a place of its own.

use super::output::ServiceOutput;
use super::service::{Body, BoxFuture, Service, boxed, only_once};
use crate::lifecycle::Lifecycle;
use crate::machine::{Location, ServiceSpec};
use crate::session::Factory;

/// The requirements on a function with `#[canstop::service]`.
///
/// Only the attribute uses this type. By hand, make a service with [`Service::new`].
///
/// ```
/// use canstop::{Lifecycle, Service};
///
/// // A future that is `Send`, and `()` or a `Result` of it.
/// #[canstop::service]
/// async fn http(lifecycle: Lifecycle, port: u16) -> std::io::Result<()> {
///     println!("port {port}");
///     lifecycle.stopping().await;
///     Ok(())
/// }
///
/// let service: Service<std::io::Result<()>> = http(80);
/// # drop(service);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ServiceFunction;

impl ServiceFunction {
    /// A service function returns `()`, `!`, or a `Result` of these: see [`ServiceOutput`].
    #[must_use]
    pub fn returning<R: ServiceOutput>(name: &'static str, file: &'static str, line: u32) -> Declared<R> {
        Declared { spec: ServiceSpec::new(name, Location { file, line }), erase: Body::erase }
    }

    /// Its future is `Send` and `'static`: it may run on any thread of the runtime until the program ends.
    pub fn future<F>(future: F) -> BoxFuture<F::Output>
    where
        F: Future + Send + 'static,
    {
        boxed(future)
    }
}

/// A service that still lacks its body.
#[derive(Debug)]
pub struct Declared<R> {
    spec: ServiceSpec,
    erase: fn(Body<R>) -> Factory,
}

impl<R: 'static> Declared<R> {
    /// Each run is made from the body.
    pub fn restarted(self, body: impl FnMut(Lifecycle) -> BoxFuture<R> + Send + 'static) -> Service<R> {
        Service::made(self.spec, true, Body::Async(Box::new(body)), self.erase)
    }

    /// There is one run.
    pub fn once(self, body: impl FnOnce(Lifecycle) -> BoxFuture<R> + Send + 'static) -> Service<R> {
        Service::made(self.spec, false, Body::Async(Box::new(only_once(body))), self.erase)
    }

    /// Each run blocks a thread.
    pub fn blocking(self, body: impl FnMut(Lifecycle) -> R + Send + 'static) -> Service<R> {
        Service::made(self.spec, true, Body::Blocking(Box::new(body)), self.erase)
    }

    /// The only run blocks a thread.
    pub fn blocking_once(self, body: impl FnOnce(Lifecycle) -> R + Send + 'static) -> Service<R> {
        Service::made(self.spec, false, Body::Blocking(Box::new(only_once(body))), self.erase)
    }
}
