//! An app that cannot be launched, and then one that can, in one process.

use std::process::ExitCode;
use std::thread;

use canstop::{App, Lifecycle, Service};
use canstop_tests::{READY, scenario};

fn main() -> ExitCode {
    let scenario = scenario();
    let app = App::new().service(Service::once("never", |_lifecycle| async { println!("a service ran") }));
    let code = app
        .configure_runtime(move |builder| match scenario.as_str() {
            "no-threads" => {
                builder.thread_stack_size(usize::MAX / 2);
            }
            "panics" => panic!("the configuration is wrong"),
            other => panic!("no scenario {other}"),
        })
        .run(async { println!("main ran") });
    assert_eq!(code, ExitCode::from(1));
    // It has no more to do than to leave.
    while control_threads() > 0 {
        thread::yield_now();
    }
    println!("the control thread has ended");
    App::new()
        .service(Service::new("second", |lifecycle: Lifecycle| async move {
            println!("{READY}");
            lifecycle.stopping().await;
        }))
        .run(async {})
}

fn control_threads() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux lists its threads");
    let names = threads.map(|thread| std::fs::read_to_string(thread.expect("a thread").path().join("comm")));
    names.filter(|name| name.as_ref().is_ok_and(|name| name.trim() == "canstop")).count()
}
