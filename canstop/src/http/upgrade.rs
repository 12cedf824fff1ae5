//! Connections that leave HTTP.

use std::cell::Cell;
use std::panic::Location;
use std::pin::Pin;

use tokio::sync::oneshot;

use crate::session::{NotAResult, Session, site_of};

/// What [`upgrade`] returns: the callback for an upgrade.
///
/// [`upgrade`] has an example.
pub type OnUpgrade<T> = Box<dyn FnOnce(T) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

thread_local! {
    /// How many sessions for upgrades this thread has spawned.
    static SPAWNED: Cell<u32> = const { Cell::new(0) };
}

/// How many sessions for upgrades this thread has spawned; it wraps around. A change shows that the code in between
/// has spawned one.
pub(super) fn spawned() -> u32 {
    SPAWNED.get()
}

/// Marks the response of a handler that has spawned a session for its upgrade.
#[derive(Clone)]
pub(super) struct HasSession;

/// Runs an upgraded connection, such as a websocket, as a session. A framework's own `on_upgrade` runs it in a task
/// that is no session: a stop waits for the connection, and the report names the request, but not the line; a panic
/// is not reported, and other servers do not wait for it at all.
///
/// The session starts at once, in the handler, so that a stop between the response and the upgrade waits for it too;
/// if the client never upgrades, it ends. It belongs to the handler's service, is named by the line that calls this,
/// and can listen for the stop with [`Lifecycle::current`](crate::Lifecycle::current).
///
/// ```
/// # struct WebSocket;
/// # struct WebSocketUpgrade;
/// # struct Response;
/// # impl WebSocketUpgrade {
/// #     fn on_upgrade<F: Future>(self, _: impl FnOnce(WebSocket) -> F) -> Response { Response }
/// # }
/// # async fn talk(_: WebSocket) {}
/// async fn chat(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(canstop::http::upgrade(|socket| talk(socket)))
/// }
/// # canstop::testing::Harness::new().run(async |mut sup| {
/// #     chat(WebSocketUpgrade).await;
/// #     assert!(sup.stop().await.is_clean());
/// # });
/// ```
///
/// # Panics
///
/// Outside a supervisor.
#[track_caller]
pub fn upgrade<T, F>(session: impl FnOnce(T) -> F + Send + 'static) -> OnUpgrade<T>
where
    T: Send + 'static,
    F: Future + Send + 'static,
{
    let site = site_of("upgrade", Location::caller(), || "canstop::http::upgrade");
    let (give, given) = oneshot::channel();
    let work = async move {
        if let Ok(upgraded) = given.await {
            session(upgraded).await;
        }
    };
    Session::at(site).spawn(work, |_| NotAResult);
    SPAWNED.set(SPAWNED.get().wrapping_add(1));
    Box::new(move |upgraded| {
        // If the session was abandoned, the upgraded connection is dropped.
        let _ = give.send(upgraded);
        Box::pin(std::future::ready(()))
    })
}
