//! The function-like macros. They pass on where this crate is, so that they work under any name.

/// Spawns a session: work that a stop waits for, and names if it does not end in time.
///
/// It takes the place of `tokio::spawn`, and gives the same `JoinHandle`. The future is `Send` and
/// `'static`, its output whatever it likes; where that is a `Result`, its `Err` is reported with the
/// place, counted and survived, and so is a panic. The type of the output must be known here: write one that
/// only later lines would settle, as in `|n: u32| spawn_session!(..)`.
///
/// ```
/// # async fn serve(n: u32) {}
/// # async fn example() {
/// # let (peer, id) = ("127.0.0.1:80", 7);
/// use canstop::spawn_session;
///
/// spawn_session!(serve(1));
/// spawn_session!("greeting", async { println!("hello") });
/// spawn_session!(serve(2), %peer, id = 7); // fields, as tracing has them: they cost a span
/// spawn_session!(async { loop { serve(3).await } });
/// let answer = spawn_session!(async { 42 }).await.unwrap();
/// spawn_session!(or_task, serve(4)); // a plain task where there is no supervisor
/// # let lifecycle = canstop::Lifecycle::current();
/// spawn_session!(in lifecycle, serve(5)); // from any thread, also one of another runtime
/// spawn_session!(cancel = "1s", serve(6)); // may be dropped when the program stops
/// spawn_session!(label = format!("customer {id}"), serve(7));
/// # }
/// ```
///
/// | before the work | |
/// |---|---|
/// | `"name"` | a name for all sessions of this place |
/// | `in lifecycle` | it belongs to this lifecycle, and runs on the program's runtime |
/// | `or_task` | a plain task where there is no supervisor |
/// | `grace = "2s"` | less time than its service has; then it is abandoned, and named |
/// | `cancel = "1s"` | it may be dropped that long after the stop request, without blame: it is counted as cancelled, and the exit code stays 0. For work that the other side holds up, such as a client that does not read. A session that blocks its thread cannot be dropped, and is abandoned in the end |
/// | `label = format!("customer {id}")` | tells it from the others of its place, in reports and in [`status`](crate::status). Any value that implements `Display`. Only a session that has one pays for it |
///
/// On the threads of the program's runtime a session is spawned there, also while another runtime is
/// entered; on any other thread, on the current runtime, as by `tokio::spawn`.
///
/// A session belongs to the service whose code, or whose session, spawns it; one that is spawned
/// from anywhere else belongs to the root. It may listen for the stop by
/// [`Lifecycle::current`](crate::Lifecycle::current).
///
/// # Panics
///
/// Outside a supervisor, as `tokio::spawn` does outside a runtime.
#[macro_export]
macro_rules! spawn_session {
    () => { ::core::compile_error!("a future is missing: write `spawn_session!(async move { .. })`") };
    ($($tokens:tt)*) => {
        $crate::__private_0_1::__spawn_session! { [$crate] $($tokens)* }
    };
}

/// Runs a closure on tokio's blocking pool as a session. See [`spawn_session!`](crate::spawn_session).
///
/// A closure that runs cannot be dropped: one that does not end in time is named and abandoned. So there is
/// no `cancel` here.
///
/// ```
/// # async fn example() -> Result<(), tokio::task::JoinError> {
/// let sum = canstop::spawn_blocking_session!(|| (1..=1_000_000_u64).sum::<u64>()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// Outside a supervisor, as `tokio::task::spawn_blocking` does outside a runtime.
#[macro_export]
macro_rules! spawn_blocking_session {
    () => { ::core::compile_error!("a closure is missing: write `spawn_blocking_session!(move || { .. })`") };
    ($($tokens:tt)*) => {
        $crate::__private_0_1::__spawn_blocking_session! { [$crate] $($tokens)* }
    };
}
