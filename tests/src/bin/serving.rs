//! An axum application, served by canstop or by axum itself.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::sse::{Event, Sse};
use axum::routing::{any, get, post};
use canstop::Lifecycle;
use canstop_tests::{READY, scenario};
use futures_core::Stream;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::time::{Interval, interval, sleep};

#[canstop::main(grace = "4s", worker_threads = 1)]
async fn main() {
    // As many connections as the system allows.
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to the hard limit");
}

fn app() -> Router {
    Router::new()
        .route("/quick", get(|| async { "quick" }))
        .route(
            "/slow/{ms}",
            get(|Path(ms): Path<u64>| async move {
                sleep(Duration::from_millis(ms)).await;
                "slow"
            }),
        )
        // There is one worker, so nothing else runs meanwhile.
        .route(
            "/pause/{ms}",
            get(|Path(ms): Path<u64>| async move {
                thread::sleep(Duration::from_millis(ms));
                "paused"
            }),
        )
        .route("/echo", post(|body: Bytes| async move { body }))
        .route(
            "/orders/{id}",
            get(|| async {
                println!("stuck");
                pending::<&'static str>().await
            }),
        )
        .route(
            "/blocked",
            get(|| async {
                println!("blocked");
                thread::sleep(Duration::from_secs(60));
                "never"
            }),
        )
        .route(
            "/stream",
            get(|| async {
                println!("streams");
                Sse::new(Endless(interval(Duration::from_millis(20))))
            }),
        )
        .route("/large", get(|| async { vec![b'x'; 16 << 20] }))
        .route("/early", post(|| async { "no body was read" }))
        .route(
            "/cut",
            get(|| async {
                println!("began");
                sleep(Duration::from_millis(500)).await;
                println!("ran to its end");
            }),
        )
        .route(
            "/chat/{ms}",
            any(|upgrade: WebSocketUpgrade, Path(ms): Path<u64>| async move {
                upgrade.on_upgrade(canstop::http::upgrade(move |socket| chat(socket, ms)))
            }),
        )
        .route(
            "/extracted/{ms}",
            any(|upgrade: canstop::axum::WebSocketUpgrade, Path(ms): Path<u64>| async move {
                upgrade.configure(|upgrade| upgrade.protocols(["chat"])).spawn_session(move |socket| chat(socket, ms))
            }),
        )
        .route(
            "/raw/{ms}",
            any(|upgrade: WebSocketUpgrade, Path(ms): Path<u64>| async move {
                upgrade.on_upgrade(move |socket| chat(socket, ms))
            }),
        )
        .route("/metrics", get(|| async { canstop::metrics().to_string() }))
        .route("/status", get(|| async { canstop::status().to_string() }))
}

/// Repeats what the client says, and says goodbye at the stop, after the work that a goodbye takes.
async fn chat(mut socket: WebSocket, goodbye_takes: u64) {
    let lifecycle = Lifecycle::current();
    while let Some(Some(Ok(message))) = lifecycle.run_until_stopping(socket.recv()).await {
        if matches!(message, Message::Text(_)) && socket.send(message).await.is_err() {
            return;
        }
    }
    if lifecycle.is_stopping() {
        sleep(Duration::from_millis(goodbye_takes)).await;
        if socket.send(Message::Text("goodbye".into())).await.is_ok() && socket.send(Message::Close(None)).await.is_ok()
        {
            println!("said goodbye");
        }
    }
}

/// Events that go on through a stop.
struct Endless(Interval);

impl Stream for Endless {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_tick(cx).map(|_| Some(Ok(Event::default().data("tick"))))
    }
}

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> anyhow::Result<()> {
    if scenario() == "axum" {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on {}", listener.local_addr()?);
        println!("{READY}");
        let stopping = lifecycle.stopping();
        return Ok(axum::serve(listener, app()).with_graceful_shutdown(stopping).await?);
    }
    let listener = canstop::listen("http", "127.0.0.1:0").await?;
    println!("listening on {listener}");
    println!("{READY}");
    match scenario().as_str() {
        "shield" => {
            let server = canstop::http::Server::new().shield_requests(true);
            canstop::axum::serve_with(server, listener, app()).await?;
        }
        "impatient" => {
            let server = canstop::http::Server::new()
                .head_timeout(Duration::from_millis(200))
                .body_timeout(Duration::from_millis(200));
            canstop::axum::serve_with(server, listener, app()).await?;
        }
        "paths" => canstop::http::serve(listener, app()).await?,
        _ => canstop::axum::serve(listener, app()).await?,
    }
    Ok(())
}
