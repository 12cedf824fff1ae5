//! The promises of `#[canstop::test]` and `canstop::testing`.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use canstop::testing::{Clock, Harness, Supervisor};
use canstop::{Event, Exit, Lifecycle, Ready, Service, Signal, spawn_session};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[canstop::test]
#[should_panic(expected = "canstop/tests/testing.rs")]
async fn a_leaked_session_fails_its_test(mut sup: Supervisor) {
    spawn_session!(pending::<()>());
    sup.advance(ms(1)).await;
}

#[canstop::test]
#[should_panic(expected = "sessions outlive the test")]
async fn a_session_leaked_after_the_stop_fails_its_test(mut sup: Supervisor) {
    let _ = sup.stop().await;
    spawn_session!(pending::<()>());
}

#[canstop::test]
async fn a_flush_hook_has_its_real_time_on_the_paused_clock(mut sup: Supervisor) {
    canstop::flush("exporter", || std::thread::sleep(ms(100)));
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

#[canstop::test]
async fn kept_values_are_dropped_at_the_end_of_the_program(mut sup: Supervisor) {
    struct Guard(Arc<AtomicBool>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    canstop::keep(Guard(Arc::clone(&dropped)));
    assert_eq!(sup.stop().await.exit, Exit::Clean);
    assert!(dropped.load(Ordering::Relaxed));
}

#[canstop::test]
async fn a_second_signal_ends_the_program_and_not_the_test(mut sup: Supervisor) {
    sup.start(Service::new("deaf", |_| pending::<()>()));
    sup.advance(ms(1)).await;
    sup.signal(Signal::Interrupt);
    sup.advance(ms(200)).await;
    sup.signal(Signal::Interrupt);
    let report = sup.wait().await;
    assert_eq!(report.exit, Exit::Forced(Signal::Interrupt));
    assert_eq!(report.stragglers[0].name.as_deref(), Some("deaf"));
}

#[canstop::test]
async fn a_test_may_fail_with_an_error_and_take_no_supervisor() -> anyhow::Result<()> {
    let answer = spawn_session!(async { 42 }).await?;
    anyhow::ensure!(answer == 42, "it is {answer}");
    Ok(())
}

/// Does not listen for the stop; `cancel` drops it.
#[canstop::service(manual, cancel)]
async fn deaf() {
    pending().await
}

#[canstop::test]
async fn a_service_cancelled_before_its_first_poll_stops_at_once(mut sup: Supervisor) {
    sup.start(deaf());
    let report = sup.stop().await;
    assert_eq!((report.exit, report.duration), (Exit::Clean, Duration::ZERO), "{report}");
}

#[canstop::service(manual)]
async fn panics_at_once(_lifecycle: Lifecycle) {
    panic!("noticed")
}

#[canstop::test]
async fn a_service_that_panics_at_its_start_fails_the_stop(mut sup: Supervisor) {
    sup.start(panics_at_once());
    sup.signal(Signal::Terminate);
    let report = sup.stop().await;
    assert_eq!(report.exit, Exit::Failed, "{report}");
    assert!(report.to_string().contains("noticed"), "{report}");
}

#[test]
fn a_panic_at_the_start_fails_a_test_that_stops_nothing() {
    let message = failure(|| {
        Harness::new().run(async |mut sup| {
            sup.start(panics_at_once());
        });
    });
    assert!(message.contains("the program failed at the end of the test"), "{message}");
    assert!(message.contains("service failed: `panics_at_once`"), "{message}");
}

#[canstop::test]
async fn a_started_service_is_polled_before_a_signal(mut sup: Supervisor) {
    let polled = Arc::new(AtomicBool::new(false));
    let body = Arc::clone(&polled);
    sup.start(Service::new("http", move |lifecycle: Lifecycle| {
        let body = Arc::clone(&body);
        async move {
            // The signal must not have taken effect yet.
            body.store(!lifecycle.is_stopping(), Ordering::Relaxed);
            lifecycle.stopping().await;
        }
    }));
    sup.signal(Signal::Terminate);
    let report = sup.stop().await;
    assert!(polled.load(Ordering::Relaxed));
    assert_eq!((report.exit, report.duration), (Exit::Clean, Duration::ZERO), "{report}");
}

#[canstop::test]
async fn a_whole_chain_is_ready_before_a_stop(mut sup: Supervisor) {
    let ready = |name: &'static str| {
        Service::new(name, |lifecycle: Lifecycle| async move {
            // Readiness needs a socket, the blocking pool and another poll.
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            let client = tokio::net::TcpStream::connect(listener.local_addr()?);
            let (accepted, connected) = tokio::join!(listener.accept(), client);
            let _sockets = (accepted?, connected?);
            tokio::task::spawn_blocking(|| std::thread::sleep(ms(20))).await?;
            tokio::task::yield_now().await;
            lifecycle.ready();
            lifecycle.stopping().await;
            anyhow::Ok(())
        })
        .ready(Ready::Notify)
    };
    sup.start(ready("http").after("db"));
    sup.start(ready("db"));
    let report = sup.stop().await;
    assert_eq!(report.exit, Exit::Clean, "{report}");
    let ready = sup.events().iter().filter(|event| matches!(event, Event::ServiceReady { .. })).count();
    assert_eq!(ready, 2, "{:#?}", sup.events());
}

#[canstop::test]
async fn a_signal_waits_for_a_recovering_service(mut sup: Supervisor) {
    let runs = Arc::new(AtomicU32::new(0));
    let handle = sup.start(Service::new("flaky", move |lifecycle: Lifecycle| {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        async move {
            anyhow::ensure!(run == 2, "not yet");
            lifecycle.stopping().await;
            Ok(())
        }
    }));
    assert_eq!(sup.stop().await.exit, Exit::Clean);
    assert_eq!(handle.status().restarts, 2);
}

#[canstop::test]
async fn a_service_that_never_recovers_does_not_block_a_stop(mut sup: Supervisor) {
    let broken = Service::new("broken", |_| async { anyhow::Result::<()>::Err(anyhow::anyhow!("as ever")) });
    sup.start(broken.limit(u32::MAX, ms(1_000)));
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

/// A harness whose test hangs soon.
///
/// canstop's panic hook is installed before: the first service and the first session install it again, which waits for
/// the panics of other tests that write their backtraces.
fn hurried() -> Harness {
    static WITH_HOOK: Once = Once::new();
    WITH_HOOK.call_once(|| {
        Harness::new().run(async |mut sup| {
            sup.start(Service::new("first", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }));
            spawn_session!(async {});
        });
    });
    Harness::new().hang_timeout(ms(300))
}

/// The message of a test's panic.
fn failure(test: impl FnOnce()) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test)).expect_err("the test fails");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().expect("a message")).to_owned(),
    }
}

/// Holds a blocking thread until it is dropped.
fn held() -> (std::sync::mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    (hold, move || {
        let _ = held.recv();
    })
}

#[test]
fn a_blocking_session_that_never_ends_fails_its_test() {
    let (hold, wait) = held();
    let message = failure(|| {
        hurried().run(async |mut sup| {
            canstop::spawn_blocking_session!(wait);
            let _ = sup.stop().await;
        });
    });
    let place = format!("1 x blocking session at {}:{} in ", file!(), line!() - 4);
    assert!(message.contains(&place), "{message}");
    assert!(message.contains("no progress for 300ms of real time"), "{message}");
    assert!(message.contains("clock = \"real\""), "{message}");
    assert!(!message.contains("raw"), "{message}");
    drop(hold);
}

#[test]
fn a_raw_spawn_blocking_that_outlives_the_stop_fails_its_test() {
    let (hold, wait) = held();
    let message = failure(|| {
        hurried().run(async |mut sup| {
            tokio::task::spawn_blocking(wait);
            let _ = sup.stop().await;
        });
    });
    assert!(message.contains("1 x a raw `spawn_blocking`"), "{message}");
    drop(hold);
}

#[test]
fn a_raw_spawn_blocking_is_named_where_the_body_awaits_it() {
    let (hold, wait) = held();
    let message = failure(|| hurried().run(async |_| tokio::task::spawn_blocking(wait).await.unwrap()));
    assert!(message.contains("1 x a raw `spawn_blocking`"), "{message}");
    drop(hold);
}

#[test]
fn work_that_ends_on_the_blocking_pool_fails_no_test() {
    let report = Harness::new().run(async |mut sup| {
        canstop::spawn_blocking_session!(|| std::thread::sleep(ms(20)));
        tokio::task::spawn_blocking(|| std::thread::sleep(ms(40)));
        sup.stop().await
    });
    assert_eq!((report.exit, report.drained), (Exit::Clean, 1));
}

#[test]
fn waiting_for_a_foreign_thread_names_the_real_clock() {
    let message = failure(|| {
        hurried().run(async |mut sup| {
            sup.start(Service::new("idle", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }));
            let (_sender, answer) = tokio::sync::oneshot::channel::<()>();
            let _ = answer.await;
        });
    });
    assert!(message.contains("a thread or a socket that is not the runtime's"), "{message}");
    assert!(message.contains("#[canstop::test(clock = \"real\")]") && message.contains("Clock::Real"), "{message}");
}

#[test]
fn a_long_computation_is_progress() {
    hurried().run(async |_| {
        let began = std::time::Instant::now();
        while began.elapsed() < ms(700) {
            std::hint::black_box(began);
        }
        tokio::task::yield_now().await;
    });
}

/// Starts two services that exchange messages for ever, whatever is requested: one of them is always ready.
fn start_ping_pong(sup: &mut Supervisor) {
    let (ping, mut pings) = tokio::sync::mpsc::channel(1);
    let (pong, mut pongs) = tokio::sync::mpsc::channel(1);
    sup.start(Service::once("ping", move |_| async move {
        while ping.send(()).await.is_ok() && pongs.recv().await.is_some() {}
    }));
    sup.start(Service::once("pong", move |_| async move {
        while pings.recv().await.is_some() && pong.send(()).await.is_ok() {}
    }));
}

#[test]
fn a_stop_of_services_that_are_always_ready_fails_its_test() {
    let message = failure(|| {
        hurried().run(async |mut sup| {
            start_ping_pong(&mut sup);
            let _ = sup.stop().await;
        });
    });
    assert!(message.contains("the test made no progress for 300ms of real time"), "{message}");
    for service in ["  service `ping` (canstop/tests/testing.rs:", "  service `pong` (canstop/tests/testing.rs:"] {
        assert!(message.contains(service), "{message}");
    }
    assert!(message.contains("no grace ends") && message.contains("clock = \"real\""), "{message}");
}

#[test]
fn services_that_are_always_ready_are_abandoned_on_the_real_clock() {
    let report = Harness::new().clock(Clock::Real).grace(ms(100)).run(async |mut sup| {
        start_ping_pong(&mut sup);
        sup.stop().await
    });
    let mut abandoned: Vec<_> = report.stragglers.iter().filter_map(|straggler| straggler.name.as_deref()).collect();
    abandoned.sort_unstable();
    assert_eq!((report.exit, abandoned), (Exit::Abandoned, vec!["ping", "pong"]), "{report}");
}

#[test]
fn a_session_that_is_always_ready_is_named_with_its_place() {
    let message = failure(|| {
        hurried().run(async |mut sup| {
            spawn_session!(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
            sup.advance(Duration::from_secs(3_600)).await;
        });
    });
    assert!(message.contains(&format!("  session ({}:{})", file!(), line!() - 8)), "{message}");
}

#[test]
fn a_raw_task_that_is_always_ready_fails_its_test() {
    let message = failure(|| {
        hurried().run(async |mut sup| {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
            sup.advance(ms(1)).await;
        });
    });
    assert!(message.contains("a task that canstop does not see, as one of `tokio::spawn`"), "{message}");
}

#[test]
fn a_real_clock_works_with_threads_that_block() {
    let report = Harness::new().clock(Clock::Real).run(async |mut sup| {
        let (port, bound) = std::sync::mpsc::channel();
        sup.start(
            Service::once("echo", move |lifecycle: Lifecycle| async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
                port.send(listener.local_addr()?)?;
                lifecycle.ready();
                while let Some(accepted) = lifecycle.run_until_stopping(listener.accept()).await {
                    let (mut socket, _) = accepted?;
                    spawn_session!(async move {
                        let (mut from, mut to) = socket.split();
                        tokio::io::copy(&mut from, &mut to).await
                    });
                }
                anyhow::Ok(())
            })
            .ready(Ready::Notify),
        );
        sup.wait_for(|event| matches!(event, Event::ServiceReady { .. })).await;
        // The body blocks its own thread, as a client without async does.
        let mut client = std::net::TcpStream::connect(bound.recv().unwrap()).unwrap();
        std::io::Write::write_all(&mut client, b"hello").unwrap();
        let mut answer = [0; 5];
        std::io::Read::read_exact(&mut client, &mut answer).unwrap();
        assert_eq!(&answer, b"hello");
        drop(client);
        sup.signal(Signal::Terminate);
        sup.stop().await
    });
    assert_eq!(report.exit, Exit::Clean, "{report}");
}

#[test]
fn a_service_starts_before_a_signal_on_the_real_clock() {
    for _ in 0..20 {
        let report = Harness::new().clock(Clock::Real).run(async |mut sup| {
            sup.start(panics_at_once().backoff(ms(1), ms(1)));
            sup.signal(Signal::Terminate);
            sup.stop().await
        });
        assert_eq!(report.exit, Exit::Failed, "{report}");
    }
}

#[test]
fn a_leaked_session_fails_its_test_on_the_real_clock() {
    let message = failure(|| {
        Harness::new().clock(Clock::Real).grace(ms(50)).run(async |_| {
            spawn_session!(pending::<()>());
        });
    });
    assert!(message.contains(file!()), "{message}");
}

#[test]
fn a_raw_spawn_blocking_fails_its_test_on_the_real_clock() {
    let (hold, wait) = held();
    let message = failure(|| {
        hurried().clock(Clock::Real).run(async |_| {
            tokio::task::spawn_blocking(wait);
        });
    });
    assert!(message.contains("outlives its test by 300ms") && message.contains("a raw `spawn_blocking`"), "{message}");
    drop(hold);
}

#[cfg(target_os = "linux")]
fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Tests run in parallel in this process, so others may hold descriptors at each count. A leak leaves hundreds.
#[cfg(target_os = "linux")]
#[test]
fn every_supervisor_releases_its_descriptors_and_threads() {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let one = |clock| {
        let report = Harness::new().clock(clock).run(async |mut sup| {
            sup.start(Service::new("idle", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }));
            tokio::task::spawn_blocking(|| {}).await.unwrap();
            // A thread of the test that enters the supervisor, and leaves it late.
            let lifecycle = sup.lifecycle();
            std::thread::spawn(move || drop(lifecycle.enter())).join().unwrap();
            sup.stop().await
        });
        assert_eq!(report.exit, Exit::Clean);
    };
    one(Clock::Paused);
    let before = (open_descriptors(), threads());
    for _ in 0..300 {
        one(Clock::Paused);
    }
    for _ in 0..50 {
        one(Clock::Real);
    }
    let after = (open_descriptors(), threads());
    assert!(after.0 < before.0 + 100 && after.1 < before.1 + 100, "{before:?} became {after:?}");
}

/// A failed test releases its descriptors too.
#[cfg(target_os = "linux")]
#[test]
fn a_failed_test_releases_its_descriptors() {
    let before = open_descriptors();
    for _ in 0..200 {
        failure(|| Harness::new().run(async |_| panic!("on purpose")));
    }
    let after = open_descriptors();
    assert!(after < before + 100, "{before} became {after}");
}

/// Runs this same test in another process, which it fails by ending that process.
#[cfg(target_os = "linux")]
#[test]
fn a_body_that_blocks_its_thread_ends_the_test_process() {
    const CHILD: &str = "CANSTOP_TEST_BLOCKS_ITS_THREAD";
    let name = "a_body_that_blocks_its_thread_ends_the_test_process";
    if std::env::var_os(CHILD).is_some() {
        let (_hold, wait) = held();
        return hurried().run(async |_| wait());
    }
    let this = std::env::current_exe().unwrap();
    let run = std::process::Command::new(this).args(["--exact", name]).env(CHILD, "1").output().unwrap();
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(101), "{stderr}");
    assert!(stderr.contains(&format!("the test `{name}` failed: its thread is blocked for 300ms")), "{stderr}");
    assert!(stderr.contains("clock = \"real\""), "{stderr}");
}
