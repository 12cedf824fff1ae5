//! A chat room: websockets that say goodbye, and server-sent events that end by themselves.
//!
//! Run it and listen with `curl -N http://127.0.0.1:48881/events`. Connect a websocket client to
//! `ws://127.0.0.1:48881/chat`, such as `websocat`, and type: the line comes back, and `curl` prints it. Press Ctrl-C
//! here: every websocket is closed with code 1001, "going away", every event stream ends with the event `goodbye`, and
//! the last line says `0 abandoned`.
//!
//! `cargo run --example websocket`
//!
//! Set `LISTEN=127.0.0.1:8080` in the environment to use another address.

use std::convert::Infallible;
use std::env;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{any, get};
use canstop::Lifecycle;
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::time::timeout;

/// How long a client may take to answer the close.
const FAREWELL: Duration = Duration::from_secs(1);

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> anyhow::Result<()> {
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:48881".to_owned());
    let listener = canstop::listen("http", address).await?;
    tracing::info!("listening on {listener}");
    let room: Sender<String> = broadcast::channel(64).0;
    let app = Router::new().route("/chat", any(chat)).route("/events", get(events)).with_state(room);
    lifecycle.ready();
    canstop::axum::serve(listener, app).await?;
    Ok(())
}

/// Opens a websocket. `canstop::http::upgrade` makes it a session: a stop waits for it, and a report can name it.
async fn chat(upgrade: WebSocketUpgrade, State(room): State<Sender<String>>) -> Response {
    upgrade.on_upgrade(canstop::http::upgrade(|socket| talk(socket, room)))
}

async fn talk(mut socket: WebSocket, room: Sender<String>) {
    let lifecycle = Lifecycle::current();
    let mut lines = room.subscribe();
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                // There is a receiver: this websocket's own.
                Some(Ok(Message::Text(line))) => drop(room.send(line.to_string())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            line = next(&mut lines) => {
                let Some(line) = line else { return };
                if socket.send(Message::Text(line.into())).await.is_err() {
                    return;
                }
            }
            () = lifecycle.stopping() => break,
        }
    }
    let goodbye = CloseFrame { code: close_code::AWAY, reason: "restarting".into() };
    if socket.send(Message::Close(Some(goodbye))).await.is_ok() {
        // The client answers the close. One that does not is no reason to delay the stop.
        let _ = timeout(FAREWELL, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
    }
}

/// Streams what is said. The handler returns at once, so the stream itself watches for the stop.
async fn events(State(room): State<Sender<String>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let lines = stream::unfold(Some((room.subscribe(), Lifecycle::current())), |open| async {
        let (mut lines, lifecycle) = open?;
        match lifecycle.run_until_stopping(next(&mut lines)).await {
            Some(line) => Some((Ok(Event::default().data(line?)), Some((lines, lifecycle)))),
            None => Some((Ok(Event::default().event("goodbye").data("restarting")), None)),
        }
    });
    Sse::new(lines).keep_alive(KeepAlive::default())
}

/// The next line. Clients that are too slow miss some.
async fn next(lines: &mut Receiver<String>) -> Option<String> {
    loop {
        match lines.recv().await {
            Ok(line) => return Some(line),
            Err(RecvError::Lagged(missed)) => tracing::debug!("a slow client missed {missed} lines"),
            Err(RecvError::Closed) => return None,
        }
    }
}

#[canstop::main(grace = "5s")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    Ok(())
}
