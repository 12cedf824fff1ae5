//! A service with very many children, each with a name of its own. It prints what they cost: CPU time of the
//! control thread, and memory. The second argument is how many there are.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use canstop::{Lifecycle, Restart, Service};
use canstop_tests::{READY, scenario};

/// So many children of the churn run at a time.
const AT_ONCE: usize = 100;

#[canstop::main(grace = "20s")]
async fn main() {
    let children = std::env::args().nth(2).expect("a second argument").parse().expect("a number of children");
    match scenario().as_str() {
        "together" => drop(canstop::start(together(children))),
        "churn" => drop(canstop::start(churn(children))),
        other => panic!("there is no scenario `{other}`"),
    }
    let report = canstop::run().await;
    println!("listed {}", report.services.len());
    println!("ended before {}", report.ended_children);
    println!("control thread: {} ms", cpu_of_control_thread());
}

/// All of them run at once, until the stop.
#[canstop::service(manual)]
async fn together(lifecycle: Lifecycle, children: usize) {
    let begun = Arc::new(AtomicUsize::new(0));
    for child in 0..children {
        let begun = Arc::clone(&begun);
        let service = Service::new("child", move |lifecycle: Lifecycle| {
            let begun = Arc::clone(&begun);
            async move {
                if begun.fetch_add(1, Ordering::Relaxed) + 1 == children {
                    println!("control thread at the start: {} ms", cpu_of_control_thread());
                    println!("{READY}");
                }
                lifecycle.stopping().await;
            }
        });
        lifecycle.start(service.name(format!("child-{child}")));
    }
    lifecycle.stopping().await;
}

/// They come and go: after a quarter of them, memory does not grow.
#[canstop::service(manual)]
async fn churn(lifecycle: Lifecycle, children: usize) {
    let mut after_warm_up = 0;
    for first in (0..children).step_by(AT_ONCE) {
        if first >= children / 4 && after_warm_up == 0 {
            after_warm_up = resident_kib();
        }
        let batch = first..children.min(first + AT_ONCE);
        let started: Vec<_> = batch
            .map(|child| {
                let name = format!("tenant-{child}-{}", "x".repeat(64));
                lifecycle.start(Service::new("tenant", |_: Lifecycle| async {}).name(name).restart(Restart::Never))
            })
            .collect();
        for child in started {
            child.wait().await;
        }
    }
    println!("grown by {} KiB", resident_kib().saturating_sub(after_warm_up));
    lifecycle.shutdown("all have come and gone");
}

fn cpu_of_control_thread() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux lists the threads").flatten();
    let of_control =
        tasks.filter(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name == "canstop\n"));
    let nanoseconds = of_control.map(|task| {
        let times = fs::read_to_string(task.path().join("schedstat")).expect("it runs");
        times.split(' ').next().and_then(|time| time.parse::<u64>().ok()).expect("a number comes first")
    });
    nanoseconds.sum::<u64>() / 1_000_000
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells the memory");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is among it");
    line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}
