//! What a service function may take.

use crate::lifecycle::Lifecycle;

mod sealed {
    use crate::lifecycle::Lifecycle;

    #[expect(unnameable_types, reason = "a trait that others cannot name is one that they cannot implement")]
    pub trait Own {}

    impl Own for Lifecycle {}
}

/// What the first parameter of a `#[canstop::service]` function may be: its own [`Lifecycle`].
///
/// ```
/// #[canstop::service]
/// async fn poller(lifecycle: canstop::Lifecycle) {
///     lifecycle.stopping().await;
/// }
///
/// // One that takes none is dropped at its next `.await`.
/// #[canstop::service(cancel)]
/// async fn cleaner() {
///     std::future::pending().await
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the first parameter of a service is its `Lifecycle`, not `{Self}`",
    label = "a service hears by its `Lifecycle` that it should stop",
    note = "put `lifecycle: canstop::Lifecycle` before it; a service that needs none says `#[canstop::service(cancel)]`"
)]
pub trait LifecycleParameter: sealed::Own + Sized {
    /// The lifecycle as the type that was written.
    fn of(lifecycle: Lifecycle) -> Self;
}

#[diagnostic::do_not_recommend]
impl LifecycleParameter for Lifecycle {
    fn of(lifecycle: Lifecycle) -> Self {
        lifecycle
    }
}

/// State of a service that may be restarted: any [`Clone`] type. Each run has its own copy. With
/// `restart = "never"` there is only one run, and state is moved into it.
///
/// ```
/// use std::sync::Arc;
///
/// #[canstop::service]
/// async fn http(lifecycle: canstop::Lifecycle, routes: Arc<Vec<String>>) {
///     println!("{} routes", routes.len());
///     lifecycle.stopping().await;
/// }
///
/// #[canstop::service(restart = "never")]
/// async fn import(_lifecycle: canstop::Lifecycle, rows: std::net::TcpListener) {
///     drop(rows);
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `Clone`, and this service may be restarted",
    label = "its state is cloned at each restart",
    note = "derive `Clone`, wrap it in `Arc`, or say `restart = \"never\"`"
)]
// Not sealed: the compiler would report the bound on a sealed trait in place of the message above.
pub trait RestartState: Sized {
    /// A copy for the next run.
    #[must_use]
    fn again(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> RestartState for T {
    fn again(&self) -> Self {
        self.clone()
    }
}
