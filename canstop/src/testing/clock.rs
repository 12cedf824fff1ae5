//! The clock of a test.

/// The clock that a test and its services run on.
///
/// | | [`Paused`](Clock::Paused) | [`Real`](Clock::Real) |
/// |---|---|---|
/// | time | jumps to the next timer when nothing can run | passes |
/// | threads | one for everything | two workers for services and sessions, one for the control plane, one for the test |
/// | repeatable | yes | as far as the code is |
/// | for | services, sessions and their timers | sockets and threads that the runtime does not own |
///
/// ```
/// use canstop::testing::{Clock, Harness};
///
/// let answer = Harness::new().clock(Clock::Real).run(async |_sup| {
///     let (sender, answer) = tokio::sync::oneshot::channel();
///     std::thread::spawn(|| sender.send(42));
///     answer.await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Clock {
    /// Tokio's paused clock.
    #[default]
    Paused,
    /// The system's clock.
    Real,
}
