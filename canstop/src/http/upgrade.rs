//! Connections that leave HTTP.

use std::panic::Location;
use std::pin::Pin;

use tokio::sync::oneshot;

use crate::session::{NotAResult, Session, site_of};

/// What [`upgrade`] returns: the callback for an upgrade.
pub type OnUpgrade<T> = Box<dyn FnOnce(T) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// Runs an upgraded connection, such as a websocket, as a session. A framework's own `on_upgrade` runs it in a task
/// that no stop waits for.
///
/// The session starts at once, in the handler, so that a stop between the response and the upgrade waits for it too;
/// if the client never upgrades, it ends. It belongs to the handler's service, is named by the line that calls this,
/// and can listen for the stop with [`Lifecycle::current`](crate::Lifecycle::current).
///
/// ```ignore
/// async fn chat(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(canstop::http::upgrade(|socket| talk(socket)))
/// }
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
    Box::new(move |upgraded| {
        // If the session was abandoned, the upgraded connection is dropped.
        let _ = give.send(upgraded);
        Box::pin(std::future::ready(()))
    })
}
