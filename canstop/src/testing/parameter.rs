//! The parameter of a test.

use super::Supervisor;

mod sealed {
    #[expect(unnameable_types, reason = "a trait that others cannot name is one that they cannot implement")]
    pub trait Sealed {}

    impl Sealed for super::Supervisor {}
}

/// The types that a `#[canstop::test]` may take as its parameter: its own [`Supervisor`].
///
/// ```
/// #[canstop::test]
/// async fn stops(mut sup: canstop::testing::Supervisor) {
///     assert!(sup.stop().await.is_clean());
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a test takes its `Supervisor`, not `{Self}`",
    label = "the only thing that `#[canstop::test]` can give it is its supervisor",
    note = "write `mut sup: canstop::testing::Supervisor`, or no parameter, and make the rest in the body"
)]
pub trait TestParameter: sealed::Sealed + Sized {
    /// Converts the supervisor to the parameter's type.
    fn of(supervisor: Supervisor) -> Self;
}

#[diagnostic::do_not_recommend]
impl TestParameter for Supervisor {
    fn of(supervisor: Supervisor) -> Self {
        supervisor
    }
}
