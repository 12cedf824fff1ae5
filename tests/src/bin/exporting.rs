//! A program whose log is written by a thread in the background, and whose events are exported in batches by a task
//! on the runtime. The arguments are a scenario, the log file and the address of the collector.

use std::fs::File;
use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use canstop::{App, Lifecycle, Service, spawn_session};
use canstop_tests::{READY, scenario};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Longer than the whole run: what is exported is exported by a flush.
const BATCH_EVERY: Duration = Duration::from_secs(60);

fn argument(index: usize) -> String {
    std::env::args().nth(index).expect("the test gives three arguments")
}

fn main() -> ExitCode {
    let collector = argument(3);
    App::new().grace(Duration::from_secs(3)).worker_threads(2).run(async move {
        let file = File::create(argument(2)).expect("the test names a file that can be written");
        let (log, guard) = tracing_appender::non_blocking(SlowDisk(file));
        tracing_subscriber::fmt().with_ansi(false).with_writer(log).init();
        let exporter = Exporter::start(collector);
        if scenario() == "keeps" {
            canstop::keep(guard);
            let exporter = exporter.clone();
            canstop::flush("exporter", move || exporter.flush());
        } else {
            std::mem::forget(guard);
        }
        canstop::start(works(exporter));
    })
}

/// Exports and logs in each of its sessions, and at the end of each.
fn works(exporter: Exporter) -> Service<()> {
    Service::new("works", move |lifecycle: Lifecycle| {
        let exporter = exporter.clone();
        async move {
            for number in 0..20 {
                let (exporter, stopping) = (exporter.clone(), lifecycle.stopping());
                spawn_session!(async move {
                    stopping.await;
                    sleep(Duration::from_millis(number)).await;
                    tracing::info!("session {number} ends");
                    exporter.record(format!("session {number}"));
                });
            }
            println!("{READY}");
            lifecycle.stopping().await;
            exporter.record("the service stops".to_owned());
        }
    })
}

/// Takes its time, so that lines wait in the background.
struct SlowDisk(File);

impl io::Write for SlowDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        thread::sleep(Duration::from_millis(2));
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Exports in batches from a task, as exporters of telemetry do: it needs the runtime.
#[derive(Clone)]
struct Exporter(mpsc::UnboundedSender<Order>);

enum Order {
    Record(String),
    Flush(oneshot::Sender<()>),
}

impl Exporter {
    fn start(collector: String) -> Self {
        let (sender, orders) = mpsc::unbounded_channel();
        tokio::spawn(export(collector, orders));
        Self(sender)
    }

    fn record(&self, event: String) {
        self.0.send(Order::Record(event)).unwrap_or_else(|_| panic!("the exporter runs as long as the runtime"));
    }

    /// Blocks until all of it has been sent.
    fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        self.0.send(Order::Flush(done)).unwrap_or_else(|_| panic!("the exporter runs as long as the runtime"));
        is_done.blocking_recv().expect("the exporter answers");
    }
}

async fn export(collector: String, mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut batch = Vec::new();
    let mut due = interval(BATCH_EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    due.tick().await;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Record(event)) => batch.push(event),
                Some(Order::Flush(done)) => {
                    send(&collector, &mut batch).await.expect("the collector listens");
                    let _ = done.send(());
                }
                None => return,
            },
            _ = due.tick() => send(&collector, &mut batch).await.expect("the collector listens"),
        }
    }
}

async fn send(collector: &str, batch: &mut Vec<String>) -> io::Result<()> {
    let mut stream = TcpStream::connect(collector).await?;
    for event in batch.drain(..) {
        stream.write_all(format!("{event}\n").as_bytes()).await?;
    }
    stream.shutdown().await
}
