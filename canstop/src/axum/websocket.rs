//! Websockets as sessions.

use ::axum::extract::FromRequestParts;
use ::axum::extract::ws::{self, WebSocket};
use ::axum::http::request::Parts;
use ::axum::response::Response;

/// The extractor of a websocket whose work is a session: axum's
/// [`WebSocketUpgrade`](axum::extract::ws::WebSocketUpgrade), with a supervisor that knows of it.
///
/// ```no_run
/// use axum::extract::ws::WebSocket;
/// use axum::response::Response;
/// use canstop::axum::WebSocketUpgrade;
///
/// async fn chat(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.configure(|upgrade| upgrade.max_message_size(64 * 1024)).spawn_session(talk)
/// }
///
/// async fn talk(mut socket: WebSocket) {
///     while let Some(Ok(message)) = socket.recv().await {
///         let _ = socket.send(message).await;
///     }
/// }
/// # fn main() {
/// # let _ = axum::Router::<()>::new().route("/chat", axum::routing::any(chat));
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the client waits for the response"]
pub struct WebSocketUpgrade(ws::WebSocketUpgrade);

impl WebSocketUpgrade {
    /// Sets the options of the connection, such as its subprotocols and the size of its messages.
    pub fn configure(self, options: impl FnOnce(ws::WebSocketUpgrade) -> ws::WebSocketUpgrade) -> Self {
        Self(options(self.0))
    }

    /// Answers the request, and runs `work` with the websocket as a session: a stop waits for it, and a report names
    /// the place of this call.
    ///
    /// # Panics
    ///
    /// Outside a supervisor.
    #[track_caller]
    pub fn spawn_session<F>(self, work: impl FnOnce(WebSocket) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.on_upgrade(crate::http::upgrade(work))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = ws::rejection::WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        ws::WebSocketUpgrade::from_request_parts(parts, state).await.map(Self)
    }
}
