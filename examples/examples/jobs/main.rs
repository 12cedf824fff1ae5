//! Workers that take jobs from a table and lose none: each job is done exactly once, whatever happens to the
//! process that runs it.
//!
//! Add some jobs to the queue and run them. Press Ctrl-C meanwhile: no new job starts, the jobs in progress
//! finish, and the last line reports a clean stop. Make a job longer than the grace (`--check-time 30s`) and
//! press Ctrl-C again: the interrupted jobs are reported, and return to the queue. Kill the process
//! (`kill -9`), and its jobs are free again when their leases expire.
//!
//! ```sh
//! cargo run --release --example jobs enqueue 2000
//! cargo run --release --example jobs run --drain
//! cargo run --release --example jobs stats
//! ```
//!
//! The table is in `jobs.db` in the current directory. `DATABASE_URL` selects another database, SQLite or
//! PostgreSQL. `--help` lists the other options.

mod progress;
mod table;
mod worker;

use std::time::Duration;

use anyhow::Context;
use canstop_examples::{Database, parse_duration};
use clap::{Args, Parser, Subcommand, value_parser};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use uuid::Uuid;

use crate::progress::{Progress, progress};
use crate::table::{Runner, Table};
use crate::worker::{Work, returns, worker};

/// Books payments, one job each, from a table.
#[derive(Parser)]
struct Arguments {
    /// Where the jobs are: sqlite:FILE or postgres://USER:PASSWORD@HOST:PORT/NAME
    #[arg(long, env, default_value = "sqlite:jobs.db", value_name = "URL", hide_env_values = true, global = true)]
    database_url: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run jobs until Ctrl-C or SIGTERM
    Run(Run),
    /// Add jobs to the queue
    Enqueue {
        /// How many
        #[arg(value_parser = value_parser!(u32).range(1..))]
        count: u32,
    },
    /// Print how many jobs there are
    Stats,
}

#[derive(Args)]
struct Run {
    /// How many jobs to run at once
    #[arg(long, env, default_value = "4", value_parser = value_parser!(u32).range(1..=1000))]
    workers: u32,
    /// How long a job takes: the time that the bank needs to check a payment
    #[arg(long, env, default_value = "20ms", value_name = "TIME", value_parser = parse_duration)]
    check_time: Duration,
    /// How long a lease lasts: the jobs of a dead process are free again after it
    #[arg(long, env, default_value = "10s", value_name = "TIME", value_parser = parse_duration)]
    lease: Duration,
    /// Stop when no job is left
    #[arg(long)]
    drain: bool,
}

#[canstop::main(grace = "5s")]
async fn main() -> anyhow::Result<()> {
    let Arguments { database_url, command } = Arguments::parse();
    let bar = Progress::new();
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(bar.clone()).init();

    let database: Database = database_url.parse().context("DATABASE_URL cannot be used")?;
    // A worker uses up to two connections, one for its job and one for the lease.
    let connections = if let Command::Run(run) = &command { 2 * run.workers } else { 1 };
    let table = database.opened(Table::open(&database, connections)).await?;

    match command {
        Command::Run(run) => {
            let workers = run.workers;
            start(run, table, bar);
            // A stop that comes before this line finds a program without services, and one after it drains them.
            tracing::info!("running jobs of {database}, {workers} at once");
        }
        Command::Enqueue { count } => {
            table.enqueue(count).await?;
            println!("{count} jobs added");
        }
        Command::Stats => {
            let stats = table.stats().await?;
            println!("{} queued, {} running, {} done", stats.queued, stats.running, stats.done);
        }
    }
    Ok(())
}

fn start(run: Run, table: Table, bar: Progress) {
    let runner = Runner { mark: Uuid::now_v7(), lease: run.lease };
    let work = Work { table: table.clone(), runner, check_time: run.check_time };
    canstop::start(returns(work.clone()));
    for number in 1..=run.workers {
        canstop::start(worker(work.clone()).name(format!("worker-{number}")));
    }
    canstop::start(progress(table, bar, run.drain));
}
