//! A web server that hands its listener over. What its next process does is written in the file of its second argument.

use std::env;
use std::io::BufRead as _;
use std::os::unix::fs::FileTypeExt as _;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use canstop::{App, Event, Lifecycle, Ready, Restart, Service, Start};
use canstop_tests::scenario;
use tokio::sync::watch;

/// The last line of the input, which is for the process that serves.
fn orders() -> watch::Receiver<String> {
    let (sender, orders) = watch::channel(String::new());
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            sender.send_replace(line);
        }
        // The test has ended, however that came about: nothing of it stays. Under systemd there is no input.
        let input = std::fs::metadata("/dev/stdin").expect("it is a file");
        if input.file_type().is_fifo() {
            std::process::exit(99);
        }
        thread::park();
    });
    orders
}

/// What this process is to do.
fn plan() -> String {
    let plan = env::args().nth(2).and_then(|path| std::fs::read_to_string(path).ok());
    plan.unwrap_or_default().trim().to_owned()
}

fn main() -> ExitCode {
    let pid = std::process::id();
    let plan = plan();
    println!("started {pid}");
    if plan == "exit" {
        return ExitCode::from(3);
    }
    let orders = orders();
    let app = App::new().grace(Duration::from_secs(4)).worker_threads(2);
    app.service(web(plan, orders)).run(async move {
        canstop::observe(move |event| match event {
            Event::HandOverRefused { .. } | Event::HandOverFailed { .. } => println!("{pid}: {event}"),
            Event::TookOver { .. } | Event::PredecessorEnded { .. } => println!("{pid}: {}", event.kind()),
            _ => {}
        });
    })
}

fn web(plan: String, orders: watch::Receiver<String>) -> Service<anyhow::Result<()>> {
    let body = move |lifecycle: Lifecycle| serve(lifecycle, plan.clone(), orders.clone());
    Service::new("web", body).ready(Ready::Notify).restart(Restart::Never).start(Start::Fail)
}

async fn serve(lifecycle: Lifecycle, plan: String, mut orders: watch::Receiver<String>) -> anyhow::Result<()> {
    let address = scenario();
    let listener = canstop::listen("web", address.as_str()).await?;
    let pid = std::process::id();
    match plan.as_str() {
        "fail" => anyhow::bail!("as the plan says"),
        "hang" => std::future::pending().await,
        "wait" => {
            while crate::plan() == "wait" {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        _ => {}
    }
    if plan == "move" {
        let moved = canstop::listen("moved", "127.0.0.1:0").await?;
        println!("moved to {moved}");
    }
    println!("listening on {listener}");
    lifecycle.ready();
    println!("ready {pid}");
    let request = async move {
        orders.wait_for(|order| order == "hand over").await.expect("the thread that reads never ends");
        match canstop::hand_over().await {
            Ok(()) => println!("{pid}: the call returns"),
            Err(error) => println!("{pid}: the call fails, refused: {}: {error}", error.is_refused()),
        }
    };
    canstop::spawn_session!(cancel = "10ms", request);
    let router = Router::new().route("/", get(move || async move { pid.to_string() }));
    canstop::axum::serve(listener, router).await?;
    Ok(())
}
