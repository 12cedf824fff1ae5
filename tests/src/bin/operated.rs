//! An application that is operated: it serves a router, answers probes, and records its numbers. The first argument
//! selects a scenario; lines of its input trigger the next steps.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use canstop::{App, Lifecycle, Ready, Service, spawn_session};
use canstop_tests::{Orders, READY, orders, scenario, until};
use metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// Longer than any test waits.
const FOR_EVER: Duration = Duration::from_secs(60);
const WORKERS: usize = 2;

fn main() -> ExitCode {
    let memory = Memory::default();
    let recorded = Arc::clone(&memory.0);
    metrics::set_global_recorder(memory).unwrap_or_else(|_| panic!("there is one recorder"));
    let orders = orders();
    let app = App::new().grace(Duration::from_secs(3)).worker_threads(WORKERS);
    let app = match scenario().as_str() {
        "routes" => app.service(http(orders.clone())).service(blocks(orders)),
        "paths" => app.service(http(orders)),
        "drains" => app.drain_delay(Duration::from_millis(1_500)).service(http(orders)),
        "stops-accepting" => app.service(accepts_one(None)),
        "at-limit" => app.service(accepts_one(Some(1))),
        other => panic!("no scenario {other}"),
    };
    let code = app.run(async {
        println!("{READY}");
    });
    // Only after the end: every value that it has printed is the last one.
    for (series, value) in &*recorded.lock().expect("nothing panics while it records") {
        println!("recorded {series} {value}");
    }
    code
}

/// Serves a router. `/orders/{id}` waits for the line `answer`.
fn http(orders: Orders) -> Service<std::io::Result<()>> {
    Service::new("http", move |lifecycle: Lifecycle| {
        let orders = orders.clone();
        async move {
            let order = move || async move {
                until(&orders, "answer").await;
                "answered"
            };
            let app = Router::new()
                .route("/orders/{id}", get(order.clone()).post(order))
                .route("/quick", get(|| async { "quick" }))
                // What applications without a control plane do: liveness on the runtime that it is about.
                .route("/livez", get(|| async { "alive" }));
            let listener = canstop::listen("public", "127.0.0.1:0").await?;
            println!("listening on {listener}");
            lifecycle.ready();
            if scenario() == "paths" {
                canstop::http::serve(listener, app).await
            } else {
                canstop::axum::serve(listener, app).await
            }
        }
    })
    .ready(Ready::Notify)
}

/// Blocks every worker after the line `block`.
fn blocks(orders: Orders) -> Service<()> {
    Service::new("blocks", move |lifecycle: Lifecycle| {
        let orders = orders.clone();
        async move {
            if lifecycle.run_until_stopping(until(&orders, "block")).await.is_none() {
                return;
            }
            for _ in 0..WORKERS {
                spawn_session!("stuck", async {
                    println!("blocked");
                    thread::sleep(FOR_EVER);
                });
            }
            lifecycle.stopping().await;
        }
    })
}

/// Accepts one connection, keeps it, and accepts no other one: because it waits for something else, or because its
/// limit is reached.
fn accepts_one(limit: Option<usize>) -> Service<std::io::Result<()>> {
    Service::new("accepts", move |lifecycle: Lifecycle| async move {
        let mut listener = canstop::listen("public", "127.0.0.1:0").await?;
        if let Some(limit) = limit {
            listener = listener.limit(limit);
        }
        println!("listening on {listener}");
        lifecycle.ready();
        let _first = listener.accept().await;
        println!("accepted");
        if limit.is_some() {
            let _next = listener.accept().await;
        }
        lifecycle.stopping().await;
        Ok(())
    })
    .ready(Ready::Notify)
}

/// The last value of each series.
type Values = Arc<Mutex<BTreeMap<String, f64>>>;

/// A recorder that remembers.
#[derive(Default)]
struct Memory(Values);

struct Series {
    name: String,
    values: Values,
}

impl Series {
    fn of(key: &Key, values: &Values) -> Arc<Self> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Self { name: format!("{}{{{}}}", key.name(), labels.join(",")), values: Arc::clone(values) })
    }

    fn change(&self, change: impl FnOnce(&mut f64)) {
        change(self.values.lock().expect("nothing panics while it records").entry(self.name.clone()).or_default());
    }
}

impl CounterFn for Series {
    fn increment(&self, by: u64) {
        self.change(|value| *value += by as f64);
    }

    fn absolute(&self, total: u64) {
        self.change(|value| *value = value.max(total as f64));
    }
}

impl GaugeFn for Series {
    fn increment(&self, by: f64) {
        self.change(|value| *value += by);
    }

    fn decrement(&self, by: f64) {
        self.change(|value| *value -= by);
    }

    fn set(&self, new: f64) {
        self.change(|value| *value = new);
    }
}

impl Recorder for Memory {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Series::of(key, &self.0))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Series::of(key, &self.0))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
