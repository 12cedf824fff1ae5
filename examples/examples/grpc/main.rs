//! gRPC: tonic's routes, served by `canstop::http`.
//!
//! Run it, and watch the count in one terminal and add to it in another:
//!
//! ```sh
//! cd examples/examples/grpc
//! grpcurl -plaintext -proto counter.proto 127.0.0.1:48883 counter.Counter/Watch
//! grpcurl -plaintext -proto counter.proto -d '{"number": 2}' 127.0.0.1:48883 counter.Counter/Add
//! ```
//!
//! Press Ctrl-C here while `Add` waits: it is answered, and the streams of the watchers end well. The last line says
//! `0 abandoned`.
//!
//! `cargo run --example grpc`
//!
//! `counter.rs` is what `tonic-prost-build` makes of `counter.proto`. It is checked in, so that a build needs no
//! `protoc`.
//!
//! Set `LISTEN=127.0.0.1:8080` in the environment to use another address.

#[allow(clippy::all, dead_code, missing_docs, unreachable_pub, unused_qualifications, reason = "it is generated")]
#[rustfmt::skip]
mod counter;

use std::env;
use std::pin::Pin;
use std::time::Duration;

use canstop::Lifecycle;
use futures_util::stream::{self, Stream};
use tokio::sync::watch;
use tokio::time::sleep;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::counter::counter_server::{Counter, CounterServer};
use crate::counter::{AddRequest, Count, WatchRequest};

#[canstop::service]
async fn grpc(lifecycle: Lifecycle) -> anyhow::Result<()> {
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:48883".to_owned());
    let listener = canstop::listen("grpc", address).await?;
    tracing::info!("listening on {listener}");
    let counter = Counting { count: watch::Sender::new(0) };
    // gRPC's paths are fixed, so each is a route: the report says `POST /counter.Counter/Add`.
    let routes = Routes::new(CounterServer::new(counter)).into_axum_router();
    lifecycle.ready();
    canstop::axum::serve(listener, routes).await?;
    Ok(())
}

struct Counting {
    count: watch::Sender<u64>,
}

#[tonic::async_trait]
impl Counter for Counting {
    async fn add(&self, request: Request<AddRequest>) -> Result<Response<Count>, Status> {
        let number = request.into_inner().number;
        tracing::info!("adding {number}");
        sleep(Duration::from_secs(1)).await;
        let mut count = 0;
        self.count.send_modify(|sum| {
            *sum = sum.saturating_add(number);
            count = *sum;
        });
        Ok(Response::new(Count { count }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<Count, Status>> + Send>>;

    /// The stream itself watches for the stop, as its handler has returned.
    async fn watch(&self, _request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let mut counts = self.count.subscribe();
        counts.mark_changed();
        let counts = stream::unfold((counts, Lifecycle::current()), |(mut counts, lifecycle)| async {
            lifecycle.run_until_stopping(counts.changed()).await?.ok()?;
            let count = *counts.borrow_and_update();
            Some((Ok(Count { count }), (counts, lifecycle)))
        });
        Ok(Response::new(Box::pin(counts)))
    }
}

#[canstop::main(grace = "5s")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    Ok(())
}
