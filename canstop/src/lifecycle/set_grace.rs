//! Setting the grace at run time.

use std::time::Duration;

use crate::machine::Input;
use crate::session::expect_scope;

/// Sets the total time from a stop request to the exit, for a program that knows it only once `main` runs, as
/// from a file. Call it before [`run`](crate::run()).
///
/// It replaces the `grace` of [`main`](macro@crate::main) and [`App`](crate::App). The variable
/// `CANSTOP_GRACE` still beats it, and a stop that was requested before keeps the grace that it had. The drain
/// delay is part of the grace: a platform's is shortened to a fifth of it if need be, with a warning; any other must be
/// shorter.
///
/// ```standalone_crate
/// use std::time::Duration;
///
/// # fn read_config() -> Result<u64, std::io::Error> { Ok(5) }
/// #[canstop::main]
/// async fn main() -> anyhow::Result<()> {
///     canstop::set_grace(Duration::from_secs(read_config()?));
///     Ok(())
/// }
/// ```
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
#[track_caller]
pub fn set_grace(grace: Duration) {
    expect_scope("`canstop::set_grace`").hub.event(Input::SetGrace(grace));
}
