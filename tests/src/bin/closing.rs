//! A program with flush hooks, as its argument says.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use canstop::{App, Lifecycle, Service, spawn_session};
use canstop_tests::{READY, scenario};

fn main() -> ExitCode {
    let scenario = scenario();
    let taken = Arc::new(AtomicU64::new(0));
    let app = App::new().grace(Duration::from_secs(2)).service(Service::new("serves", {
        let taken = Arc::clone(&taken);
        move |lifecycle: Lifecycle| {
            let taken = Arc::clone(&taken);
            async move {
                println!("{READY}");
                lifecycle.stopping().await;
                for _ in 0..100 {
                    let taken = Arc::clone(&taken);
                    spawn_session!(async move {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        taken.fetch_add(1, Ordering::Relaxed);
                    });
                }
            }
        }
    }));
    app.run(async move {
        match scenario.as_str() {
            "exports" => {
                // As an exporter of traces does: a task on the runtime sends the last batch.
                let handle = tokio::runtime::Handle::current();
                canstop::flush("exporter", move || {
                    let sent = handle.spawn(async move {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        println!("exported {}", taken.load(Ordering::Relaxed));
                    });
                    handle.block_on(sent).expect("the runtime is there");
                });
                canstop::flush("other", || println!("other"));
            }
            "hangs" => canstop::flush("stuck", || thread::sleep(Duration::from_secs(60))),
            "spawns" => canstop::flush("spawner", || {
                spawn_session!(async {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    println!("the session of a hook has ended");
                });
            }),
            "leaves" => canstop::flush("spawner", || drop(spawn_session!(std::future::pending::<()>()))),
            "panics" => canstop::flush("broken", || panic!("no connection")),
            other => panic!("no scenario {other}"),
        }
        canstop::run().await;
        println!("teardown");
    })
}
