//! HTTPS: `canstop::http` over `tokio-rustls`.
//!
//! Run it, and ask `curl --cacert tls.pem https://localhost:48882/slow`. Press Ctrl-C here meanwhile: the answer still
//! comes. A client that connects and sends nothing delays no other, and a stop waits two seconds for it at most.
//!
//! `cargo run --example tls`
//!
//! The certificate is made at the start, and written to `tls.pem`; a real program reads one. Set `CERTIFICATE` to
//! another path, and `LISTEN=127.0.0.1:8080` to use another address.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use canstop::Lifecycle;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

#[canstop::service]
async fn https(lifecycle: Lifecycle) -> anyhow::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(make_config()?));
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:48882".to_owned());
    let listener = canstop::listen("https", address).await?;
    tracing::info!("listening on {listener}");
    let app = Router::new().route("/", get(|| async { "hello\n" })).route("/slow", get(slow));
    lifecycle.ready();
    // Handshakes run in the sessions of their connections, each with the time of a request's head.
    let listener = canstop::http::with_handshake(listener, move |stream| acceptor.accept(stream));
    canstop::axum::serve(listener, app).await?;
    Ok(())
}

async fn slow() -> &'static str {
    sleep(Duration::from_secs(2)).await;
    "slow\n"
}

/// A configuration with a new certificate for `localhost`.
fn make_config() -> anyhow::Result<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let path = env::var("CERTIFICATE").unwrap_or_else(|_| "tls.pem".to_owned());
    std::fs::write(&path, made.cert.pem()).with_context(|| format!("cannot write {path}"))?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    // HTTP/2 for clients that speak it.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[canstop::main(grace = "5s")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    Ok(())
}
