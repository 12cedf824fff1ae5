//! A program that health probes and a process manager watch. The first argument selects a scenario; lines of its
//! input trigger the next steps.

use std::io::BufRead as _;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use canstop::{App, Lifecycle, Ready, Restart, Service, spawn_session};
use canstop_tests::{READY, scenario};
use tokio::sync::watch;

/// Longer than any test waits.
const FOR_EVER: Duration = Duration::from_secs(60);

/// The last line of the program's input.
fn orders() -> watch::Receiver<String> {
    let (sender, orders) = watch::channel(String::new());
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            sender.send_replace(line);
        }
        // The end of the input means nothing: a test that sends no lines has closed it.
        thread::park();
    });
    orders
}

async fn until(orders: &mut watch::Receiver<String>, order: &str) {
    orders.wait_for(|line| line == order).await.expect("the thread that reads never ends");
}

fn main() -> ExitCode {
    let scenario = scenario();
    let orders = orders();
    let app = App::new().grace(Duration::from_secs(3)).worker_threads(2);
    let app = match scenario.as_str() {
        "serves" => app.service(serves()),
        "drains" => app.drain_delay(Duration::from_millis(600)).service(serves()),
        "starts" => app.service(starts(orders.clone())).service(serves()),
        "slow-stop" => app.service(slow_stop()),
        "holds" => app.service(holds(orders.clone())),
        "fails" => app.service(fails(orders.clone())),
        "blocks" => app.service(blocks(orders.clone())),
        "teardown" => app.service(serves()),
        other => panic!("no scenario {other}"),
    };
    let code = app.run(async {
        println!("{READY}");
    });
    if scenario == "teardown" {
        println!("after");
        thread::sleep(Duration::from_millis(200));
    }
    code
}

fn serves() -> Service<()> {
    Service::new("serves", |lifecycle: Lifecycle| async move {
        lifecycle.stopping().await;
        println!("stopping");
    })
}

/// Ready after the line `ready`.
fn starts(orders: watch::Receiver<String>) -> Service<()> {
    Service::new("starts", move |lifecycle: Lifecycle| {
        let mut orders = orders.clone();
        async move {
            until(&mut orders, "ready").await;
            lifecycle.ready();
            lifecycle.stopping().await;
        }
    })
    .ready(Ready::Notify)
    .start_timeout(Duration::from_secs(20))
}

fn slow_stop() -> Service<()> {
    Service::new("slow", |lifecycle: Lifecycle| async move {
        lifecycle.stopping().await;
        tokio::time::sleep(Duration::from_millis(2_300)).await;
    })
}

/// Holds readiness until the line `release`.
fn holds(orders: watch::Receiver<String>) -> Service<()> {
    Service::new("holds", move |lifecycle: Lifecycle| {
        let mut orders = orders.clone();
        async move {
            let hold = lifecycle.hold_ready("migrating the customer");
            lifecycle.ready();
            until(&mut orders, "release").await;
            drop(hold);
            lifecycle.stopping().await;
        }
    })
    .ready(Ready::Notify)
}

/// Fails after the line `fail`, and is ready again after the line `heal`.
fn fails(orders: watch::Receiver<String>) -> Service<anyhow::Result<()>> {
    Service::new("fails", move |lifecycle: Lifecycle| {
        let mut orders = orders.clone();
        async move {
            if orders.borrow().is_empty() {
                lifecycle.ready();
                until(&mut orders, "fail").await;
                anyhow::bail!("as asked");
            }
            until(&mut orders, "heal").await;
            lifecycle.ready();
            lifecycle.stopping().await;
            Ok(())
        }
    })
    .ready(Ready::Notify)
    .restart(Restart::Always)
}

/// Blocks every worker after the line `block`.
fn blocks(orders: watch::Receiver<String>) -> Service<()> {
    Service::new("blocks", move |lifecycle: Lifecycle| {
        let mut orders = orders.clone();
        async move {
            until(&mut orders, "block").await;
            for _ in 0..3 {
                spawn_session!("stuck", async { thread::sleep(FOR_EVER) });
            }
            lifecycle.stopping().await;
        }
    })
}
