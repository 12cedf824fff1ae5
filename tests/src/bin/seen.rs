//! A program that health probes and a process manager watch. The first argument selects a scenario; lines of its
//! input trigger the next steps.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use canstop::{App, Lifecycle, Ready, Restart, Service, spawn_session};
use canstop_tests::{Orders, READY, orders, scenario, until};

/// Longer than any test waits.
const FOR_EVER: Duration = Duration::from_secs(60);

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
fn starts(orders: Orders) -> Service<()> {
    Service::new("starts", move |lifecycle: Lifecycle| {
        let orders = orders.clone();
        async move {
            until(&orders, "ready").await;
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
fn holds(orders: Orders) -> Service<()> {
    Service::new("holds", move |lifecycle: Lifecycle| {
        let orders = orders.clone();
        async move {
            let hold = lifecycle.hold_ready("migrating the customer");
            lifecycle.ready();
            until(&orders, "release").await;
            drop(hold);
            lifecycle.stopping().await;
        }
    })
    .ready(Ready::Notify)
}

/// Fails after the line `fail`, and is ready again after the line `heal`.
fn fails(orders: Orders) -> Service<anyhow::Result<()>> {
    Service::new("fails", move |lifecycle: Lifecycle| {
        let orders = orders.clone();
        async move {
            if orders.borrow().is_empty() {
                lifecycle.ready();
                until(&orders, "fail").await;
                anyhow::bail!("as asked");
            }
            until(&orders, "heal").await;
            lifecycle.ready();
            lifecycle.stopping().await;
            Ok(())
        }
    })
    .ready(Ready::Notify)
    .restart(Restart::Always)
}

/// Blocks every worker after the line `block`.
fn blocks(orders: Orders) -> Service<()> {
    Service::new("blocks", move |lifecycle: Lifecycle| {
        let orders = orders.clone();
        async move {
            until(&orders, "block").await;
            for _ in 0..3 {
                spawn_session!("stuck", async { thread::sleep(FOR_EVER) });
            }
            lifecycle.stopping().await;
        }
    })
}
