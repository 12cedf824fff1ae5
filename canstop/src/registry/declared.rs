//! What `#[canstop::service]` writes, and where the compiler says what a service function must be.
//!
//! What the user wrote stands by itself in it, a type as a type argument and a call as an argument: so
//! what is wrong with it is told there. [`Service`]'s own constructors ask the same of a closure, of
//! which the user wrote nothing.

use super::output::ServiceOutput;
use super::service::{Body, BoxFuture, Service, boxed, only_once};
use crate::lifecycle::Lifecycle;
use crate::machine::{Location, ServiceSpec};
use crate::session::Factory;

/// What a function with `#[canstop::service]` must be.
///
/// There is no use for it without the attribute, which calls it: by hand, a service is made with
/// [`Service::new`].
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
    /// A service function gives `()`, `!`, or a `Result` of these: see [`ServiceOutput`].
    #[must_use]
    pub fn returning<R: ServiceOutput>(name: &'static str, file: &'static str, line: u32) -> Declared<R> {
        Declared { spec: ServiceSpec::new(name, Location { file, line }), erase: Body::erase }
    }

    /// Its future may run on any of the runtime's threads, for as long as the program does.
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
    /// A life is made anew each time.
    pub fn restarted(self, body: impl FnMut(Lifecycle) -> BoxFuture<R> + Send + 'static) -> Service<R> {
        Service::made(self.spec, true, Body::Async(Box::new(body)), self.erase)
    }

    /// There is one life.
    pub fn once(self, body: impl FnOnce(Lifecycle) -> BoxFuture<R> + Send + 'static) -> Service<R> {
        Service::made(self.spec, false, Body::Async(Box::new(only_once(body))), self.erase)
    }

    /// Each life blocks a thread.
    pub fn blocking(self, body: impl FnMut(Lifecycle) -> R + Send + 'static) -> Service<R> {
        Service::made(self.spec, true, Body::Blocking(Box::new(body)), self.erase)
    }

    /// The one life blocks a thread.
    pub fn blocking_once(self, body: impl FnOnce(Lifecycle) -> R + Send + 'static) -> Service<R> {
        Service::made(self.spec, false, Body::Blocking(Box::new(only_once(body))), self.erase)
    }
}
