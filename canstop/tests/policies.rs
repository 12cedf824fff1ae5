//! The policies of services, tested as a user would test them: on a paused clock, by what happens.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
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

/// Fails as often as it is told to, and is well from then on.
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

/// A polite service of another name.
fn named(name: &str) -> Service<()> {
    polite().name(name)
}

/// What a service went through, in words.
fn story(events: &[Event], service: &str) -> Vec<String> {
    events.iter().filter(|event| event.to_string().contains(&format!("`{service}`"))).map(Event::to_string).collect()
}

/// The order in which services went through something.
fn order(events: &[Event], kind: &str) -> Vec<String> {
    let service = |event: &Event| match event {
        Event::ServiceReady { service }
        | Event::ServiceStopping { service }
        | Event::ServiceStarted { service, .. } => Some(service.clone()),
        _ => None,
    };
    events.iter().filter(|event| event.kind() == kind).filter_map(service).collect()
}

#[canstop::test]
async fn a_service_that_fails_three_times_heals(mut sup: Supervisor) {
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
async fn one_failure_more_than_the_limit_is_the_programs(mut sup: Supervisor) {
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
async fn a_failure_is_judged_by_who_was_told_and_not_by_its_type(mut sup: Supervisor) {
    // Somebody else's cancellation, while it was to run, is a failure like any other.
    let cancelled = || async { Err::<(), _>(std::io::Error::other("cancelled")) };
    sup.start(Service::new("worker", move |_| cancelled()).restart(Restart::Never));
    assert_eq!(sup.wait().await.exit, Exit::Failed);
}

#[canstop::test]
async fn dependencies_start_first_and_stop_last_and_branches_stop_side_by_side(mut sup: Supervisor) {
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
async fn who_is_not_ready_in_time_is_named_and_what_started_is_stopped(mut sup: Supervisor) {
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
async fn a_stuck_request_does_not_eat_the_writers_time(mut sup: Supervisor) {
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
async fn a_dependency_with_a_session_always_in_flight_does_not_hold_up_the_drain(mut sup: Supervisor) {
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
async fn one_that_flaps_delays_no_other(mut sup: Supervisor) {
    sup.start(failing(failures(u32::MAX)).name("flaps").backoff(ms(10), ms(10)).limit(u32::MAX, ms(1_000)));
    sup.start(failing(failures(1)).name("other").backoff(ms(500), ms(500)));
    let restarted = |event: &Event| matches!(event, Event::ServiceStarted { service, run: 2 } if service == "other");
    let began = tokio::time::Instant::now();
    sup.wait_for(restarted).await;
    assert!(began.elapsed() <= ms(510), "{:?}", began.elapsed());
    let _ = sup.stop().await;
}

#[canstop::test]
async fn a_child_stops_before_its_parent_and_each_life_starts_its_own(mut sup: Supervisor) {
    let parent = sup.start(Service::new("shop", |lifecycle: Lifecycle| async move {
        lifecycle.start(named("db"));
        lifecycle.start(named("till").after("db"));
        lifecycle.stopping().await;
    }));
    sup.wait_for(|event| matches!(event, Event::ServiceReady { service } if service == "shop/till")).await;
    parent.restart().await.unwrap();
    sup.wait_for(|event| matches!(event, Event::ServiceStarted { service, run: 2 } if service == "shop/till")).await;
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
async fn a_parent_that_fails_takes_its_children_with_it(mut sup: Supervisor) {
    let lives = failures(1);
    sup.start(Service::new("shop", move |lifecycle: Lifecycle| {
        let lives = Arc::clone(&lives);
        async move {
            let till = lifecycle.start(Service::new("till", |lifecycle: Lifecycle| async move {
                lifecycle.stopping().await;
                tokio::time::sleep(ms(700)).await;
            }));
            while till.status().state != ServiceState::Ready {
                tokio::task::yield_now().await;
            }
            match lives.swap(0, Ordering::Relaxed) {
                0 => lifecycle.stopping().await,
                _ => anyhow::bail!("the roof is leaking"),
            }
            Ok(())
        }
    }));
    sup.wait_for(|event| matches!(event, Event::ServiceStarted { service, run: 2 } if service == "shop/till")).await;
    let kinds: Vec<_> = sup.events().iter().map(|event| format!("{} {event}", event.kind())).collect();
    let at =
        |what: &str| kinds.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {kinds:#?}"));
    // Its pause is shorter than the child's end, and it waits for that.
    assert!(at("service_ended service `shop/till`") < at("service `shop` restarted"), "{kinds:#?}");
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

#[canstop::test]
async fn a_stuck_child_does_not_outlive_its_parents_slot(mut sup: Supervisor) {
    sup.start(Service::new("shop", |lifecycle: Lifecycle| async move {
        lifecycle.start(Service::new("till", |_| pending::<()>()));
        lifecycle.stopping().await;
        tokio::time::sleep(ms(900)).await;
    }));
    sup.wait_for(|event| matches!(event, Event::ServiceReady { service } if service == "shop/till")).await;
    let report = sup.stop().await;
    let [till] = &report.stragglers[..] else { panic!("{report}") };
    assert_eq!(till.name.as_deref(), Some("shop/till"));
    assert!(report.duration <= ms(5_000), "{report}");
}

#[canstop::test]
async fn who_is_bound_is_restarted_in_order_and_who_is_only_after_goes_on(mut sup: Supervisor) {
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
async fn services_that_are_bound_both_ways_restart_as_one(mut sup: Supervisor) {
    sup.start(failing(failures(1)).name("leader").bound_to("follower").backoff(ms(500), ms(500)));
    let follower = sup.start(named("follower").bound_to("leader"));
    sup.wait_for(|event| matches!(event, Event::ServiceStarted { service, run: 2 } if service == "leader")).await;
    sup.advance(ms(1)).await;
    assert_eq!((follower.status().state, follower.status().restarts), (ServiceState::Ready, 1));
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

#[canstop::test]
async fn stopping_a_dependency_stops_its_dependents_first_and_its_sessions_with_it(mut sup: Supervisor) {
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
    // The name is free again.
    let db = sup.start(named("db"));
    sup.advance(ms(1)).await;
    assert_eq!(db.status().state, ServiceState::Ready);
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

#[canstop::test]
async fn a_new_life_does_not_wait_for_one_that_is_stuck_and_its_sessions_are_its_own(mut sup: Supervisor) {
    let db = sup.start(
        Service::new("db", |lifecycle: Lifecycle| async move {
            spawn_session!("query", pending::<()>());
            // The second life stops as it should.
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
    // A service and a session of each life.
    assert_eq!(report.abandoned(), 4, "{report}");
}

#[canstop::test]
async fn a_service_that_was_made_once_says_that_it_cannot_be_restarted(mut sup: Supervisor) {
    let once = sup.start(Service::once("once", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }));
    sup.advance(ms(1)).await;
    let error = once.restart().await.unwrap_err().to_string();
    assert!(error.contains("`once` was made to run once"), "{error}");
    let _ = sup.stop().await;
    assert_eq!(sup.start(polite()).wait().await, ServiceOutcome::NeverStarted, "nobody is left to start it");
}
