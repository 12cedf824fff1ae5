//! Programs that try what a control plane must survive. The first argument says which. All have a grace of
//! one second unless they say otherwise.

use std::error::Error;
use std::fmt::{self, Display};
use std::fs;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use canstop::{App, Lifecycle, Service, spawn_session};
use canstop_tests::{READY, scenario};
use tokio::time::sleep;

fn main() -> ExitCode {
    let app = App::new().grace(Duration::from_secs(1));
    match scenario().as_str() {
        "serve" => app.service(server()).run(async {}),
        "grace-without-end" => app.grace(Duration::MAX).service(server().start_timeout(Duration::MAX)).run(async {}),
        "no-grace" => app.grace(Duration::ZERO).service(server()).run(async {
            spawn_session!(async { Lifecycle::current().stopping().await });
        }),
        "no-grace-and-deaf" => {
            app.grace(Duration::ZERO).service(deaf("deaf".to_owned())).service(server()).run(async {})
        }
        "code-after-run" => {
            let code = app.service(server()).run(async {});
            println!("after");
            block_for_ever();
            code
        }
        "thread-local" => {
            thread_local!(static STUCK: Stuck = const { Stuck });
            STUCK.with(|_| {});
            app.service(server()).run(async {})
        }
        "again-and-again" => again_and_again(),
        "ready-flood" => app.service(ready_flood()).run(async {}),
        "shutdown-flood" => app.service(shutdown_flood()).run(async {}),
        "failing-sessions" => app.grace(Duration::from_millis(300)).service(failing_sessions()).run(async {}),
        "waker-panics" => app.service(with_waker(|| panic!("a waker"))).run(async {}),
        "waker-blocks" => app.service(with_waker(block_for_ever)).run(async {}),
        "state-blocks" => app.service(with_state(block_for_ever)).run(async {}),
        "state-panics" => app.service(with_state(|| panic!("the state"))).run(async {}),
        "state-is-slow" => app.service(with_state(drop_slowly)).run(async {}),
        "run-is-slow" => app.service(slow_run()).run(async {}),
        "main-panics-when-dropped" => app.run(async {
            let _guard = OnDrop(|| panic!("the guard of main"));
            println!("{READY}");
            pending::<()>().await;
        }),
        "error-drops-slowly" => app.service(returns_error(drop_slowly)).run(async {}),
        "error-panics" => app.service(returns_error(panic_in_error)).run(async {}),
        "blocking-error-panics" => app.service(blocks_and_returns_error(panic_in_error)).run(async {}),
        "blocking-state-is-slow" => app.service(blocks_with_state(drop_slowly)).run(async {}),
        "blocking-state-blocks" => app.service(blocks_with_state(block_for_ever)).run(async {}),
        "error-of-main-drops-slowly" => app.run(async {
            spawn_session!(sleep(Duration::from_millis(500)));
            Err::<(), _>(Troubled(OnDrop(drop_slowly)))
        }),
        "job" => app.run(async {
            println!("{READY}");
            pending::<()>().await;
        }),
        "drains" => serve_on(app, Duration::from_secs(60)).run(async {}),
        "drains-and-hangs" => serve_on(app, Duration::from_secs(60)).service(deaf("deaf".to_owned())).run(async {}),
        "exit-handler-hangs" => {
            hang_at_exit();
            app.service(server()).run(async {})
        }
        "many" => (0..MANY).fold(app, |app, number| app.service(deaf(format!("deaf {number}")))).run(async {}),
        "frozen" => app.grace(Duration::from_secs(2)).service(server()).run(async {
            spawn_session!(async {
                println!("{READY}");
                Lifecycle::current().stopping().await;
                for _ in 0..10 {
                    sleep(Duration::from_millis(50)).await;
                }
                println!("the session is done");
            });
        }),
        other => panic!("no scenario {other}"),
    }
}

/// Serves through a drain delay that no test waits out.
fn serve_on(app: App, drain_delay: Duration) -> App {
    app.grace(drain_delay + Duration::from_secs(10)).drain_delay(drain_delay).service(server())
}

const MANY: u32 = 1_000;
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// Never stops.
fn deaf(name: String) -> Service<()> {
    let deaf = Service::new("deaf", |_: Lifecycle| async {
        if BEGUN.fetch_add(1, Ordering::Relaxed) + 1 == MANY {
            println!("{READY}");
        }
        pending::<()>().await;
    });
    deaf.name(name)
}

#[expect(unsafe_code, reason = "atexit(3) has no wrapper in std")]
fn hang_at_exit() {
    extern "C" fn hang() {
        block_for_ever();
    }
    // SAFETY: the handler never returns and touches nothing.
    assert_eq!(unsafe { libc::atexit(hang) }, 0);
}

fn block_for_ever() {
    loop {
        thread::park();
    }
}

fn panic_in_error() {
    panic!("the error's destructor");
}

fn drop_slowly() {
    thread::sleep(Duration::from_millis(300));
    println!("dropped");
}

struct Stuck;

impl Drop for Stuck {
    fn drop(&mut self) {
        block_for_ever();
    }
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn server() -> Service<()> {
    Service::new("server", |lifecycle: Lifecycle| async move {
        println!("{READY}");
        lifecycle.stopping().await;
    })
}

/// The state is what the closure owns, which outlives each run.
fn with_state(drop_it: fn()) -> Service<()> {
    let state = Arc::new(OnDrop(drop_it));
    Service::new("keeper", move |lifecycle: Lifecycle| {
        let state = Arc::downgrade(&state);
        async move {
            println!("{READY}");
            lifecycle.stopping().await;
            drop(state);
        }
    })
}

/// An error whose destructor is user code like any other.
struct Troubled(#[expect(dead_code, reason = "its destructor is what it is for")] OnDrop<fn()>);

impl Display for Troubled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("trouble")
    }
}

impl fmt::Debug for Troubled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Troubled")
    }
}

impl Error for Troubled {}

fn returns_error(drop_it: fn()) -> Service<Result<(), Troubled>> {
    Service::new("troubled", move |lifecycle: Lifecycle| async move {
        println!("{READY}");
        lifecycle.stopping().await;
        Err(Troubled(OnDrop(drop_it)))
    })
}

fn blocks_and_returns_error(drop_it: fn()) -> Service<Result<(), Troubled>> {
    Service::blocking("troubled", move |lifecycle: Lifecycle| {
        wait_for_stop(&lifecycle);
        Err(Troubled(OnDrop(drop_it)))
    })
}

fn blocks_with_state(drop_it: fn()) -> Service<()> {
    let state = OnDrop(drop_it);
    Service::blocking("keeper", move |lifecycle: Lifecycle| {
        let _state = &state;
        wait_for_stop(&lifecycle);
    })
}

fn wait_for_stop(lifecycle: &Lifecycle) {
    println!("{READY}");
    while !lifecycle.is_stopping() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// A cancelled run whose destructors take a while.
fn slow_run() -> Service<()> {
    Service::new("slow", |_: Lifecycle| async move {
        let _guard = OnDrop(drop_slowly);
        println!("{READY}");
        pending::<()>().await;
    })
    .cancel()
}

struct Call(fn());

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// Waits for the stop with a waker of its own, as a hand-written executor has.
fn with_waker(wake: fn()) -> Service<()> {
    Service::new("waiter", move |lifecycle: Lifecycle| async move {
        let waker = Waker::from(Arc::new(Call(wake)));
        let token = lifecycle.token();
        let mut cancelled = pin!(token.cancelled());
        assert!(cancelled.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        println!("{READY}");
        lifecycle.stopping().await;
        // Registered as long as the stop is under way.
        sleep(Duration::from_millis(10)).await;
    })
}

fn ready_flood() -> Service<()> {
    Service::new("eager", |lifecycle: Lifecycle| async move {
        for _ in 0..3_000_000 {
            lifecycle.ready();
        }
        println!("peak {}", peak_kilobytes());
        println!("{READY}");
        lifecycle.stopping().await;
    })
}

fn shutdown_flood() -> Service<()> {
    Service::new("eager", |lifecycle: Lifecycle| async move {
        println!("{READY}");
        lifecycle.stopping().await;
        for _ in 0..1_000_000 {
            lifecycle.shutdown("again");
        }
        println!("peak {}", peak_kilobytes());
    })
}

/// What the process has had in memory at most.
fn peak_kilobytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Sessions fail as fast as they can be spawned, and one never ends.
fn failing_sessions() -> Service<()> {
    Service::new("failing", |lifecycle: Lifecycle| async move {
        spawn_session!(pending::<()>());
        println!("{READY}");
        lifecycle.stopping().await;
        poll_fn(|cx| {
            for _ in 0..100 {
                spawn_session!(async { Err::<(), _>("no luck") });
            }
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        })
        .await;
    })
}

fn again_and_again() -> ExitCode {
    let run = || {
        App::new().service(Service::new("short", |_: Lifecycle| async {})).run(async {
            tokio::task::yield_now().await;
        })
    };
    let count = |what: &str| fs::read_dir(format!("/proc/self/{what}")).expect("Linux").count();
    // Threads end a moment after the run that they were for.
    let settles = |what: &str, most: usize| {
        (0..1_000).any(|_| {
            thread::sleep(Duration::from_millis(2));
            count(what) <= most
        })
    };
    // The first one sets up what the process keeps: its own thread, the exit guard's and stderr's.
    let mut code = run();
    assert!(settles("task", 3));
    let before = count("fd");
    for _ in 0..20 {
        code = run();
    }
    println!("threads are flat: {}", settles("task", 3));
    println!("descriptors are flat: {}", settles("fd", before));
    code
}
