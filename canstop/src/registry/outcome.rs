//! What a service or `main` may return.

use std::convert::Infallible;
use std::error::Error;

use crate::machine::Ending;
use crate::session::with_sources;

/// What a service or `main` may return: `()`, `!`, or a `Result` of these whose error can be boxed,
/// as `anyhow::Error` and every `Error + Send + Sync` can.
#[diagnostic::on_unimplemented(
    message = "a service or `main` cannot return `{Self}`",
    label = "return `()`, `!`, or `Result<(), E>`",
    note = "`E` is any error that can be boxed: `anyhow::Error`, or a type that is `Error + Send + Sync`"
)]
pub trait Outcome: Send + 'static {
    /// The outcome as a result.
    ///
    /// # Errors
    ///
    /// What the service failed with.
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}

impl Outcome for Infallible {
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        match self {}
    }
}

impl<E> Outcome for Result<(), E>
where
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.map_err(Into::into)
    }
}

impl<E> Outcome for Result<Infallible, E>
where
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    fn into_result(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        match self {
            Ok(never) => match never {},
            Err(error) => Err(error.into()),
        }
    }
}

/// What `main` may return: as a service, and any error that can be boxed, `Box<dyn Error>` included,
/// for `main` need not be `Send`.
#[diagnostic::on_unimplemented(
    message = "`main` cannot return `{Self}`",
    label = "return `()`, `!`, or `Result<(), E>`",
    note = "`E` is any error that can be boxed: `anyhow::Error`, `Box<dyn Error>`, or a type that is `Error`"
)]
pub trait MainOutcome {
    /// The outcome as a result.
    ///
    /// # Errors
    ///
    /// What `main` failed with.
    fn into_result(self) -> Result<(), Box<dyn Error>>;
}

impl MainOutcome for () {
    fn into_result(self) -> Result<(), Box<dyn Error>> {
        Ok(())
    }
}

impl MainOutcome for Infallible {
    fn into_result(self) -> Result<(), Box<dyn Error>> {
        match self {}
    }
}

impl<E: Into<Box<dyn Error>>> MainOutcome for Result<(), E> {
    fn into_result(self) -> Result<(), Box<dyn Error>> {
        self.map_err(Into::into)
    }
}

impl<E: Into<Box<dyn Error>>> MainOutcome for Result<Infallible, E> {
    fn into_result(self) -> Result<(), Box<dyn Error>> {
        match self {
            Ok(never) => match never {},
            Err(error) => Err(error.into()),
        }
    }
}

/// How a body ended that was not dropped: with an outcome, or a panic.
pub(crate) fn ending_of<R: Outcome>(returned: Result<R, Ending>) -> Ending {
    match returned.map(Outcome::into_result) {
        Ok(Ok(())) => Ending::Done,
        Ok(Err(error)) => Ending::Failed(with_sources(&*error)),
        Err(panic) => panic,
    }
}
