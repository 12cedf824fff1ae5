//! axum-server and its handle.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;

async fn serve(address: SocketAddr, app: Router) -> std::io::Result<()> {
    let handle = Handle::new();
    tokio::spawn(stop_on_signal(handle.clone()));
    axum_server::bind(address).handle(handle).serve(app.into_make_service()).await
}

async fn stop_on_signal(handle: Handle<SocketAddr>) {
    tokio::signal::ctrl_c().await.unwrap();
    handle.graceful_shutdown(Some(Duration::from_secs(10)));
}
