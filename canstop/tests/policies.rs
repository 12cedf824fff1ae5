//! The policies of services, tested as a user would: on a paused clock, by their events and reports.

use std::error::Error;
use std::future::pending;
use std::num::ParseIntError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use canstop::testing::{Harness, Supervisor};
use canstop::{
    Activity, Cause, Event, Exit, ExitReason, Lifecycle, Restart, Service, ServiceOutcome, ServiceState, Signal,
    StragglerKind, spawn_session,
};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Waits for the stop.
#[canstop::service(manual)]
async fn polite(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

/// Fails this many times, then runs until the stop.
#[canstop::service(backoff = "100ms..10s", limit = "5 in 30s")]
async fn failing(lifecycle: Lifecycle, failures: Arc<AtomicU32>) -> anyhow::Result<()> {
    let left = failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    anyhow::ensure!(left.is_err(), "connection refused");
    lifecycle.stopping().await;
    Ok(())
}

fn failures(count: u32) -> Arc<AtomicU32> {
    Arc::new(AtomicU32::new(count))
}

/// A polite service with this name.
fn named(name: &str) -> Service<()> {
    polite().name(name)
}

/// The events of a service, as text.
fn story(events: &[Event], service: &str) -> Vec<String> {
    events.iter().filter(|event| event.to_string().contains(&format!("`{service}`"))).map(Event::to_string).collect()
}

/// The services in the order of their events of one kind.
fn order(events: &[Event], kind: &str) -> Vec<String> {
    let service = |event: &Event| match event {
        Event::ServiceReady { service, .. }
        | Event::ServiceStopping { service, .. }
        | Event::ServiceStarted { service, .. } => Some(service.clone()),
        _ => None,
    };
    events.iter().filter(|event| event.kind() == kind).filter_map(service).collect()
}

#[canstop::test]
async fn a_service_recovers_after_three_failures(mut sup: Supervisor) {
    let handle = sup.start(failing(failures(3)));
    sup.wait_for(|event| matches!(event, Event::ServiceReady { .. })).await;
    sup.wait_for(|event| matches!(event, Event::ServiceStarted { run: 4, .. })).await;
    let status = handle.status();
    assert_eq!((status.state, status.restarts), (ServiceState::Ready, 3));
    assert_eq!(status.last_error.as_deref(), Some("connection refused"));
    let pauses: Vec<_> = sup
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::ServiceEnded { restart_in, reason: ExitReason::Failed(_), .. } => *restart_in,
            _ => None,
        })
        .collect();
    assert_eq!(pauses.len(), 3);
    assert!(pauses.iter().zip([200, 400, 800]).all(|(pause, most)| (ms(100)..=ms(most)).contains(pause)), "{pauses:?}");
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

#[test]
fn the_same_seed_gives_the_same_pauses() {
    let pauses = |seed| {
        Harness::new().seed(seed).run(async |mut sup| {
            sup.start(failing(failures(4)));
            sup.wait_for(|event| matches!(event, Event::ServiceStarted { run: 5, .. })).await;
            let _ = sup.stop().await;
            story(sup.events(), "failing")
        })
    };
    assert_eq!(pauses(1), pauses(1));
    assert_ne!(pauses(1), pauses(2));
}

#[canstop::test]
async fn a_failure_beyond_the_limit_fails_the_program(mut sup: Supervisor) {
    let other = sup.start(named("other"));
    sup.start(failing(failures(u32::MAX)).limit(2, ms(60_000)));
    let report = sup.wait().await;
    assert_eq!(report.exit, Exit::Failed);
    let Cause::ServiceFailed { service, error, limit: Some(limit), .. } = &report.cause else { panic!("{report}") };
    assert_eq!((&service[..], &error[..], limit.failures, limit.limit), ("failing", "connection refused", 3, 2));
    assert!(report.to_string().contains("failed 3 times in 60s, more than its limit of 2"), "{report}");
    assert_eq!(order(sup.events(), "service_started").iter().filter(|service| *service == "failing").count(), 3);
    assert_eq!(other.wait().await, ServiceOutcome::Stopped);
}

#[canstop::test]
async fn a_stop_does_not_wait_for_a_backoff(mut sup: Supervisor) {
    sup.start(failing(failures(u32::MAX)).backoff(ms(8_000), ms(8_000)));
    sup.wait_for(|event| matches!(event, Event::ServiceEnded { .. })).await;
    let report = sup.stop().await;
    assert!(report.duration < ms(10), "{report}");
    assert_eq!(report.exit, Exit::Clean);
}

#[canstop::test]
async fn an_error_before_the_stop_is_a_failure_whatever_its_type(mut sup: Supervisor) {
    // The error of a foreign cancellation, before a stop was requested, is a failure as any other.
    let cancelled = || async { Err::<(), _>(std::io::Error::other("cancelled")) };
    sup.start(Service::new("worker", move |_| cancelled()).restart(Restart::Never));
    assert_eq!(sup.wait().await.exit, Exit::Failed);
}

#[canstop::test]
async fn dependencies_start_first_and_stop_last(mut sup: Supervisor) {
    sup.start(named("http").after("cache").after("writer"));
    sup.start(named("cache").after("db"));
    sup.start(named("writer").after("db"));
    sup.start(named("db"));
    sup.advance(ms(1)).await;
    assert_eq!(order(sup.events(), "service_ready"), ["db", "cache", "writer", "http"]);
    assert_eq!(sup.stop().await.exit, Exit::Clean);
    assert_eq!(order(sup.events(), "service_stopping"), ["http", "cache", "writer", "db"]);
}

#[canstop::test]
async fn a_service_not_ready_in_time_fails_the_start(mut sup: Supervisor) {
    let db = sup.start(named("db"));
    sup.start(named("cache").after("db").ready(canstop::Ready::Notify).start_timeout(ms(2_000)));
    let http = sup.start(named("http").after("cache"));
    let report = sup.wait().await;
    let Cause::StartFailed(fault) = &report.cause else { panic!("{report}") };
    assert!(fault.contains("`cache`") && fault.contains("start_timeout of 2s"), "{fault}");
    assert_eq!(report.exit, Exit::Failed);
    assert_eq!((db.wait().await, http.wait().await), (ServiceOutcome::Stopped, ServiceOutcome::NeverStarted));
}

#[canstop::test(grace = "3s")]
async fn a_stuck_request_does_not_use_the_writers_time(mut sup: Supervisor) {
    let flushed = Arc::new(AtomicU32::new(0));
    let rows = Arc::clone(&flushed);
    sup.start(Service::new("writer", move |lifecycle: Lifecycle| {
        let rows = Arc::clone(&rows);
        async move {
            lifecycle.stopping().await;
            for _ in 0..5 {
                tokio::time::sleep(ms(100)).await;
                rows.fetch_add(1, Ordering::Relaxed);
            }
        }
    }));
    sup.start(named("http").after("writer"));
    spawn_session!("request", pending::<()>());
    sup.advance(ms(1)).await;
    sup.signal(Signal::Terminate);
    let report = sup.stop().await;
    assert_eq!(flushed.load(Ordering::Relaxed), 5);
    assert_eq!(report.exit, Exit::Abandoned);
    let [request] = &report.stragglers[..] else { panic!("{report}") };
    assert_eq!((request.kind, request.name.as_deref()), (StragglerKind::Session, Some("request")));
    assert_eq!(request.activity, Activity::Waiting);
    assert!(report.duration <= ms(3_000), "{report}");
}

#[canstop::test]
async fn a_dependencys_sessions_do_not_delay_the_front(mut sup: Supervisor) {
    sup.start(Service::new("writer", |lifecycle: Lifecycle| async move {
        while !lifecycle.is_stopping() {
            let _ = spawn_session!(tokio::time::sleep(ms(50))).await;
        }
    }));
    sup.start(named("http").after("writer"));
    sup.advance(ms(120)).await;
    let report = sup.stop().await;
    assert_eq!(report.exit, Exit::Clean);
    assert!(report.duration <= ms(100), "{report}");
}

#[canstop::test]
async fn a_flapping_service_delays_no_other(mut sup: Supervisor) {
    sup.start(failing(failures(u32::MAX)).name("flaps").backoff(ms(10), ms(10)).limit(u32::MAX, ms(1_000)));
    sup.start(failing(failures(1)).name("other").backoff(ms(500), ms(500)));
    let restarted =
        |event: &Event| matches!(event, Event::ServiceStarted { service, run: 2, .. } if service == "other");
    let began = tokio::time::Instant::now();
    sup.wait_for(restarted).await;
    assert!(began.elapsed() <= ms(510), "{:?}", began.elapsed());
    let _ = sup.stop().await;
}

#[canstop::test]
async fn children_stop_before_their_parent_and_restart_with_it(mut sup: Supervisor) {
    let parent = sup.start(Service::new("shop", |lifecycle: Lifecycle| async move {
        lifecycle.start(named("db"));
        lifecycle.start(named("till").after("db"));
        lifecycle.stopping().await;
    }));
    sup.wait_for(|event| matches!(event, Event::ServiceReady { service, .. } if service == "shop/till")).await;
    parent.restart().await.unwrap();
    sup.wait_for(|event| matches!(event, Event::ServiceStarted { service, run: 2, .. } if service == "shop/till"))
        .await;
    assert_eq!(order(sup.events(), "service_stopping"), ["shop/till", "shop/db", "shop"]);
    let shown = sup.status().to_string();
    assert!(shown.contains("\n  shop/till: ready for 0 ms, 1 restart"), "{shown}");
    let report = sup.stop().await;
    assert_eq!(report.exit, Exit::Clean);
    assert_eq!(
        report.services.iter().map(|service| &*service.name).collect::<Vec<_>>(),
        ["shop", "shop/db", "shop/till"]
    );
}

#[canstop::test]
async fn a_failed_parent_stops_its_children(mut sup: Supervisor) {
    let failures_left = failures(1);
    sup.start(Service::new("shop", move |lifecycle: Lifecycle| {
        let failures_left = Arc::clone(&failures_left);
        async move {
            let till = lifecycle.start(Service::new("till", |lifecycle: Lifecycle| async move {
                lifecycle.stopping().await;
                tokio::time::sleep(ms(700)).await;
            }));
            while till.status().state != ServiceState::Ready {
                tokio::task::yield_now().await;
            }
            match failures_left.swap(0, Ordering::Relaxed) {
                0 => lifecycle.stopping().await,
                _ => anyhow::bail!("the roof is leaking"),
            }
            Ok(())
        }
    }));
    sup.wait_for(|event| matches!(event, Event::ServiceStarted { service, run: 2, .. } if service == "shop/till"))
        .await;
    let kinds: Vec<_> = sup.events().iter().map(|event| format!("{} {event}", event.kind())).collect();
    let at =
        |what: &str| kinds.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {kinds:#?}"));
    // The parent's pause is shorter than the child's stop, and the restart waits for the child.
    assert!(at("service_ended service `shop/till`") < at("service `shop` restarted"), "{kinds:#?}");
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

#[canstop::test]
async fn a_stuck_child_does_not_exceed_its_parents_time(mut sup: Supervisor) {
    sup.start(Service::new("shop", |lifecycle: Lifecycle| async move {
        lifecycle.start(Service::new("till", |_| pending::<()>()));
        lifecycle.stopping().await;
        tokio::time::sleep(ms(900)).await;
    }));
    sup.wait_for(|event| matches!(event, Event::ServiceReady { service, .. } if service == "shop/till")).await;
    let report = sup.stop().await;
    let [till] = &report.stragglers[..] else { panic!("{report}") };
    assert_eq!(till.name.as_deref(), Some("shop/till"));
    assert!(report.duration <= ms(5_000), "{report}");
}

#[canstop::test]
async fn bound_services_restart_in_order_and_others_keep_running(mut sup: Supervisor) {
    let db = sup.start(named("db"));
    sup.start(named("cache").bound_to("db"));
    sup.start(named("http").bound_to("cache"));
    let metrics = sup.start(named("metrics").after("db"));
    sup.advance(ms(1)).await;
    db.restart().await.unwrap();
    sup.advance(ms(1)).await;
    assert_eq!(order(sup.events(), "service_stopping"), ["http", "cache", "db"]);
    let started = order(sup.events(), "service_started");
    assert_eq!(started[4..], ["db", "cache", "http"]);
    assert_eq!(metrics.status().restarts, 0);
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

#[canstop::test]
async fn services_bound_to_each_other_restart_together(mut sup: Supervisor) {
    sup.start(failing(failures(1)).name("leader").bound_to("follower").backoff(ms(500), ms(500)));
    let follower = sup.start(named("follower").bound_to("leader"));
    sup.wait_for(|event| matches!(event, Event::ServiceStarted { service, run: 2, .. } if service == "leader")).await;
    sup.advance(ms(1)).await;
    assert_eq!((follower.status().state, follower.status().restarts), (ServiceState::Ready, 1));
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

#[canstop::test]
async fn stopping_a_dependency_stops_its_dependents_first(mut sup: Supervisor) {
    let db = sup.start(Service::new("db", |lifecycle: Lifecycle| async move {
        spawn_session!(async { Lifecycle::current().stopping().await });
        lifecycle.stopping().await;
    }));
    let http = sup.start(named("http").after("db"));
    sup.start(named("other"));
    sup.advance(ms(1)).await;
    assert_eq!(db.stop().await, ServiceOutcome::Stopped);
    assert_eq!(http.status().state, ServiceState::Over(ServiceOutcome::Stopped));
    assert_eq!(order(sup.events(), "service_stopping"), ["http", "db"]);
    assert_eq!(sup.status().sessions.len(), 0);
    // The name can be used again.
    let db = sup.start(named("db"));
    sup.advance(ms(1)).await;
    assert_eq!(db.status().state, ServiceState::Ready);
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

#[canstop::test]
async fn a_restart_does_not_wait_for_a_stuck_run(mut sup: Supervisor) {
    let db = sup.start(
        Service::new("db", |lifecycle: Lifecycle| async move {
            spawn_session!("query", pending::<()>());
            // The second run stops as it should.
            if lifecycle.token().is_cancelled() {
                return;
            }
            pending::<()>().await;
        })
        .grace(ms(300)),
    );
    sup.advance(ms(1)).await;
    db.restart().await.unwrap();
    let status = sup.status();
    assert_eq!(status.sessions.iter().map(|sessions| sessions.count).sum::<u64>(), 1, "{status}");
    let report = sup.stop().await;
    assert_eq!(report.exit, Exit::Abandoned);
    // The service and one session of each run.
    assert_eq!(report.abandoned(), 4, "{report}");
}

#[canstop::test]
async fn restarting_a_service_made_once_is_an_error(mut sup: Supervisor) {
    let once = sup.start(Service::once("once", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }));
    sup.advance(ms(1)).await;
    let error = once.restart().await.unwrap_err().to_string();
    assert!(error.contains("`once` was made to run once"), "{error}");
    let _ = sup.stop().await;
    assert_eq!(sup.start(polite()).wait().await, ServiceOutcome::NeverStarted, "the program has ended");
}

#[canstop::test]
async fn a_handle_waits_for_the_sessions_of_a_service_that_is_done(mut sup: Supervisor) {
    let session_is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&session_is_over);
    sup.start(Service::new("other", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }));
    let done = sup.start(Service::new("done", move |_: Lifecycle| {
        let over = Arc::clone(&over);
        async move {
            spawn_session!(async move {
                tokio::time::sleep(ms(50)).await;
                over.store(true, Ordering::SeqCst);
            });
        }
    }));
    assert_eq!(done.wait().await, ServiceOutcome::Done);
    assert!(session_is_over.load(Ordering::SeqCst));
    assert!(sup.stop().await.is_clean());
}

#[canstop::test]
async fn errors_are_inspected_while_they_have_a_type(mut sup: Supervisor) {
    let (seen, mut inspected) = tokio::sync::mpsc::unbounded_channel();
    canstop::inspect_errors(move |error| {
        let kind = if error.downcast_ref::<std::fmt::Error>().is_some() {
            "fmt"
        } else if error.downcast_ref::<anyhow::Error>().is_some_and(|error| error.is::<std::io::Error>()) {
            "anyhow of io"
        } else if error.downcast_ref::<Box<dyn Error + Send + Sync>>().is_some_and(|error| error.is::<ParseIntError>())
        {
            "box of number"
        } else {
            "unknown"
        };
        let session = error.session().map(|session| session.line);
        seen.send((kind, error.service().map(str::to_owned), session)).expect("the test reads it");
    });
    sup.start(polite());
    let write = |_| async { anyhow::Result::<()>::Err(std::io::Error::other("disk full").into()) };
    sup.start(Service::new("writer", write).restart(Restart::Never).optional());
    assert_eq!(inspected.recv().await, Some(("anyhow of io", Some("writer".to_owned()), None)));
    let parse = |_| async { Result::<(), Box<dyn Error + Send + Sync>>::Ok("three".parse::<u32>().map(drop)?) };
    sup.start(Service::new("reader", parse).restart(Restart::Never).optional());
    assert_eq!(inspected.recv().await, Some(("box of number", Some("reader".to_owned()), None)));
    let line = line!() + 1;
    drop(spawn_session!(async { Err::<(), _>(std::fmt::Error) }));
    assert_eq!(inspected.recv().await, Some(("fmt", None, Some(line))));
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

#[canstop::test]
async fn a_callback_that_panics_is_reported_with_the_error(mut sup: Supervisor) {
    canstop::inspect_errors(|_| panic!("no counter of that name"));
    sup.start(failing(failures(1)));
    sup.wait_for(|event| matches!(event, Event::ServiceStarted { run: 2, .. })).await;
    let story = story(sup.events(), "failing").join("\n");
    let expected = "connection refused (and a callback of `canstop::inspect_errors` panicked: no counter of that name";
    assert!(story.contains(expected), "{story}");
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}
