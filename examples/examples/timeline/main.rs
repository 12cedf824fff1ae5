//! Draws its own stop: the steps, the services and the sessions over time, as `timeline.svg`.
//!
//! Run it, press Ctrl-C, and open the picture in a browser. `http` serves through its drain delay, then `http` and
//! its sessions stop, then `writer`, then `database`: each step begins when the step before it has drained. With
//! `--stuck` one session does not stop: its step lasts until its time is up, and the session is abandoned. The time
//! that is reserved for `writer` and `database` is still theirs.
//!
//! `cargo run --example timeline -- [--stuck] [FILE]`

mod drawing;
mod recording;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use canstop::{Event, Lifecycle, spawn_session};
use clap::Parser;
use tokio::time::sleep;

use recording::Recording;

/// How often the live sessions are counted.
const COUNT_EVERY: Duration = Duration::from_millis(20);

#[derive(Parser)]
struct Options {
    /// Leave a session behind that does not stop.
    #[arg(long)]
    stuck: bool,
    /// The picture.
    #[arg(default_value = "timeline.svg")]
    file: PathBuf,
}

/// What everything writes into, and nothing reads while it stops.
#[canstop::service(grace = "800ms")]
async fn database(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
    sleep(Duration::from_millis(300)).await;
}

/// Writes what is left when it stops.
#[canstop::service(after(database), grace = "800ms")]
async fn writer(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
    sleep(Duration::from_millis(450)).await;
}

/// Gets a request every 40 ms, until it stops. Each takes between 0.1 and 1.2 seconds.
#[canstop::service(after(writer))]
async fn http(lifecycle: Lifecycle) {
    let mut requests: u64 = 0;
    while lifecycle.run_until_stopping(sleep(Duration::from_millis(40))).await.is_some() {
        requests += 1;
        spawn_session!("request", sleep(Duration::from_millis(100 + requests * 370 % 1_100)));
    }
}

/// Answers while `http` does, and stops with it.
#[canstop::service(after(database))]
async fn metrics(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

#[canstop::main(grace = "5s", drain_delay = "700ms")]
async fn main() {
    tracing_subscriber::fmt().init();
    let Options { stuck, file } = Options::parse();
    let recording = Arc::new(Mutex::new(Recording::default()));

    // The report thread calls this for each event up to the last one, so the picture is complete when it is drawn.
    let events = Arc::clone(&recording);
    canstop::observe(move |event| {
        let mut recording = events.lock().expect("nothing panics while it records");
        recording.event(event, Instant::now());
        if matches!(event, Event::Stopped { .. }) {
            match std::fs::write(&file, drawing::svg(&recording)) {
                Ok(()) => println!("drew {}", file.display()),
                Err(error) => eprintln!("cannot draw {}: {error}", file.display()),
            }
        }
    });

    let lifecycle = Lifecycle::current();
    thread::spawn(move || {
        // A thread outside of the runtime belongs to the program while it has entered it.
        let _entered = lifecycle.enter();
        loop {
            let metrics = canstop::metrics();
            let alive = metrics.sessions_started - metrics.sessions_finished;
            recording.lock().expect("nothing panics while it records").sessions(alive, Instant::now());
            thread::sleep(COUNT_EVERY);
        }
    });

    if stuck {
        spawn_session!("export", std::future::pending::<()>());
    }
    println!("serving");
}
