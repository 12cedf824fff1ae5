//! An event tracker that loses nothing: `POST /events` responds 201 at once, and the event is written to
//! a database afterwards.
//!
//! Run it, load it with any HTTP load generator (or with the `curl` loop below), and press Ctrl-C or send it
//! a SIGTERM meanwhile: it accepts no new connection, finishes the requests in progress, writes every accepted
//! event, and reports that in its last line. Every event that was answered with 201 is in the database, once.
//!
//! `cargo run --release --example tracker`
//!
//! ```sh
//! seq 1 5000 | xargs -P 8 -I{} curl -s -o /dev/null http://127.0.0.1:48880/events \
//!     -d '{"kind": "page.viewed", "data": {"number": {}}}'
//! curl 'http://127.0.0.1:48880/events?after=4990'
//! ```
//!
//! The database is `tracker.db` in the current directory. `DATABASE_URL` selects another one, SQLite or
//! PostgreSQL. `--help` lists the other options. The README.md beside this file describes what the program
//! promises, what that costs, and how it was measured.

mod api;
mod batch;
mod event;
mod http;
mod queue;
mod store;
mod writer;

use std::sync::Arc;

use anyhow::Context;
use canstop_examples::Database;
use clap::{Parser, value_parser};

use crate::api::Tracker;
use crate::http::http;
use crate::queue::Queue;
use crate::store::Store;
use crate::writer::writer;

/// Accepts events over HTTP, and writes them to a database.
#[derive(Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, env, default_value = "127.0.0.1:48880", value_name = "HOST:PORT")]
    listen: String,
    /// Where to store events: sqlite:FILE or postgres://USER:PASSWORD@HOST:PORT/NAME
    #[arg(long, env, default_value = "sqlite:tracker.db", value_name = "URL", hide_env_values = true)]
    database_url: String,
    /// How many events may wait for the database; further ones are refused with 503
    #[arg(long, env, default_value = "8192", value_name = "EVENTS", value_parser = value_parser!(u32).range(1..=1_000_000))]
    queue: u32,
}

#[canstop::main(grace = "5s")]
async fn main() -> anyhow::Result<()> {
    let Arguments { listen, database_url, queue } = Arguments::parse();
    tracing_subscriber::fmt().init();
    let database: Database = database_url.parse().context("DATABASE_URL cannot be used")?;
    let store = database.opened(Store::open(database.clone())).await?;
    tracing::info!("events go to {database}");

    let queue = Arc::new(Queue::new(queue as usize));
    canstop::start(writer(store.clone(), Arc::clone(&queue)));
    canstop::start(http(listen, Tracker { queue: Arc::clone(&queue), store }));
    canstop::run().await;

    if let Some(events) = queue.in_doubt() {
        tracing::error!("{events}");
    }
    Ok(())
}
