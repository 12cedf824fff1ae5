//! The outputs of a service and of `main`.
//!
//! The implementations are all `do_not_recommend`: the trait's message lists them, and a wrong type gives one error,
//! at the type that the user wrote.

use std::convert::Infallible;
use std::error::Error;

use crate::failure::with_sources;
use crate::machine::ExitReason;
use crate::session::inspect;

mod sealed {
    use std::convert::Infallible;

    #[expect(unnameable_types, reason = "a trait that others cannot name is one that they cannot implement")]
    pub trait Sealed {}

    impl Sealed for () {}
    impl Sealed for Infallible {}
    impl<T, E> Sealed for Result<T, E> {}
}

/// What a service may return: `()`, `!`, or a `Result` of these whose error can be boxed,
/// as `anyhow::Error` and every `Error + Send + Sync` can.
///
/// ```
/// use std::io;
///
/// use canstop::Lifecycle;
///
/// #[canstop::service]
/// async fn plain(lifecycle: Lifecycle) {
///     lifecycle.stopping().await;
/// }
///
/// #[canstop::service]
/// async fn fallible(lifecycle: Lifecycle) -> io::Result<()> {
///     lifecycle.stopping().await;
///     Ok(())
/// }
///
/// /// Ends only with an error; `cancel` drops it at the stop.
/// #[canstop::service(cancel)]
/// async fn endless() -> anyhow::Result<std::convert::Infallible> {
///     std::future::pending().await
/// }
///
/// canstop::testing::Harness::new().run(async |mut sup| {
///     sup.start(plain());
///     sup.start(fallible());
///     sup.start(endless());
///     assert!(sup.stop().await.is_clean());
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "a service cannot return `{Self}`",
    label = "return `()`, `!`, or `Result<(), E>`",
    note = "`E` is any error that can be boxed and sent: `anyhow::Error`, `Box<dyn Error + Send + Sync>`, or a type that implements `std::error::Error`"
)]
pub trait ServiceOutput: sealed::Sealed + Send + 'static {
    /// How the service ended, for its report.
    fn into_reason(self) -> ExitReason;
}

#[diagnostic::do_not_recommend]
impl ServiceOutput for () {
    fn into_reason(self) -> ExitReason {
        ExitReason::Done
    }
}

#[diagnostic::do_not_recommend]
impl ServiceOutput for Infallible {
    fn into_reason(self) -> ExitReason {
        match self {}
    }
}

#[diagnostic::do_not_recommend]
impl<E> ServiceOutput for Result<(), E>
where
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    fn into_reason(self) -> ExitReason {
        match self {
            Ok(()) => ExitReason::Done,
            Err(error) => failed(error),
        }
    }
}

#[diagnostic::do_not_recommend]
impl<E> ServiceOutput for Result<Infallible, E>
where
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    fn into_reason(self) -> ExitReason {
        match self {
            Ok(never) => match never {},
            Err(error) => failed(error),
        }
    }
}

/// What `main` may return: the same as a service, but its error need not be `Send`.
///
/// `Kind` distinguishes errors that convert to a `Box<dyn Error>` from those that are already boxed in another form.
/// The compiler infers it.
///
/// ```standalone_crate
/// #[canstop::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     println!("{} bytes", "three".parse::<u32>().unwrap_or(3));
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`main` cannot return `{Self}`",
    label = "return `()`, `!`, or `Result<(), E>`",
    note = "`E` is any error that can be boxed: `anyhow::Error`, `Box<dyn Error>`, or a type that implements `std::error::Error`"
)]
pub trait MainOutput<Kind = Boxable>: sealed::Sealed {
    /// Converts the output to a result.
    ///
    /// # Errors
    ///
    /// The error of `main`.
    fn into_result(self) -> Result<(), Box<dyn Error>>;
}

/// Errors that become a `Box<dyn Error>` by `into()`.
#[derive(Debug)]
pub enum Boxable {}

/// `Box<dyn Error + Send>`.
#[derive(Debug)]
pub enum BoxedSend {}

/// `Box<dyn Error + Send + Sync>`.
#[derive(Debug)]
pub enum BoxedSendSync {}

#[diagnostic::do_not_recommend]
impl MainOutput<BoxedSend> for Result<(), Box<dyn Error + Send>> {
    fn into_result(self) -> Result<(), Box<dyn Error>> {
        self.map_err(|error| error as Box<dyn Error>)
    }
}

#[diagnostic::do_not_recommend]
impl MainOutput<BoxedSendSync> for Result<(), Box<dyn Error + Send + Sync>> {
    fn into_result(self) -> Result<(), Box<dyn Error>> {
        self.map_err(|error| error as Box<dyn Error>)
    }
}

#[diagnostic::do_not_recommend]
impl MainOutput for () {
    fn into_result(self) -> Result<(), Box<dyn Error>> {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl MainOutput for Infallible {
    fn into_result(self) -> Result<(), Box<dyn Error>> {
        match self {}
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<Box<dyn Error>>> MainOutput for Result<(), E> {
    fn into_result(self) -> Result<(), Box<dyn Error>> {
        self.map_err(Into::into)
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<Box<dyn Error>>> MainOutput for Result<Infallible, E> {
    fn into_result(self) -> Result<(), Box<dyn Error>> {
        match self {
            Ok(never) => match never {},
            Err(error) => Err(error.into()),
        }
    }
}

fn failed<E: Into<Box<dyn Error + Send + Sync>> + 'static>(error: E) -> ExitReason {
    let inspected = inspect(&error);
    ExitReason::Failed(inspected.append_to(with_sources(&*error.into())))
}
