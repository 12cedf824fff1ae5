//! axum's graceful shutdown.

use axum::Router;
use axum::routing::get;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let app = Router::new().route("/", get(index));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(shutdown_signal()).await?;
    Ok(())
}

async fn shutdown_signal() {
    let ctrl_c = async { tokio::signal::ctrl_c().await.unwrap() };
    let terminate = async {
        signal(SignalKind::terminate()).unwrap().recv().await;
    };
    tokio::select! { () = ctrl_c => {}, () = terminate => {} }
}

async fn index() -> &'static str {
    "hello\n"
}
