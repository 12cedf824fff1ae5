//! Code that waits for the end of a service which waits for the end of that code.
#![cfg(feature = "testing")]

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use canstop::testing::Supervisor;
use canstop::{Event, Exit, Lifecycle, RestartError, Service, ServiceHandle, ServiceOutcome, spawn_session};

/// A handle that a service gets after it has started.
type Later = Arc<OnceLock<ServiceHandle>>;

async fn get(later: Later) -> ServiceHandle {
    loop {
        if let Some(handle) = later.get() {
            return handle.clone();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn stop(later: Later) {
    assert_eq!(get(later).await.stop().await, ServiceOutcome::Stopped);
}

async fn restart(later: Later) -> Result<(), RestartError> {
    get(later).await.restart().await
}

/// Who waits for whom, as the warnings have it.
fn warnings(sup: &mut Supervisor) -> Vec<(String, String)> {
    let of_event = |event: &Event| match event {
        Event::WaitsForItself { service, waiter, location, .. } => {
            assert!(location.file.ends_with("waits_for_itself.rs"), "{location}");
            Some((waiter.clone(), service.clone()))
        }
        _ => None,
    };
    sup.events().iter().filter_map(of_event).collect()
}

/// The services stop at once, by the request of `waiter`, although none has a grace.
async fn ends_at_once(mut sup: Supervisor, stopped: ServiceHandle, later: Later, waiter: &str) {
    let before = tokio::time::Instant::now();
    later.set(stopped.clone()).unwrap();
    assert_eq!(stopped.wait().await, ServiceOutcome::Stopped);
    assert!(before.elapsed() < Duration::from_millis(100), "it waits for nothing");
    assert_eq!(warnings(&mut sup), [(waiter.to_owned(), stopped.name().to_owned())]);
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

#[canstop::test]
async fn a_service_that_stops_itself_does_not_wait(mut sup: Supervisor) {
    let later = Later::default();
    let own = Arc::clone(&later);
    let service = sup.start(Service::new("web", move |_| stop(Arc::clone(&own))));
    ends_at_once(sup, service, later, "web").await;
}

#[canstop::test]
async fn a_session_that_stops_its_service_does_not_wait(mut sup: Supervisor) {
    let later = Later::default();
    let own = Arc::clone(&later);
    let service = sup.start(Service::new("web", move |lifecycle: Lifecycle| {
        let own = Arc::clone(&own);
        async move {
            spawn_session!(grace = "3s", stop(own));
            lifecycle.stopping().await;
        }
    }));
    ends_at_once(sup, service, later, "web").await;
}

#[canstop::test]
async fn a_child_that_stops_its_parent_does_not_wait(mut sup: Supervisor) {
    let later = Later::default();
    let own = Arc::clone(&later);
    let service = sup.start(Service::new("web", move |lifecycle: Lifecycle| {
        let own = Arc::clone(&own);
        async move {
            lifecycle.start(Service::new("child", move |_| stop(Arc::clone(&own))));
            lifecycle.stopping().await;
        }
    }));
    ends_at_once(sup, service, later, "web/child").await;
}

#[canstop::test]
async fn a_service_that_stops_its_dependency_does_not_wait(mut sup: Supervisor) {
    let later = Later::default();
    let own = Arc::clone(&later);
    let database =
        sup.start(Service::new("database", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }));
    sup.start(
        Service::new("cache", |lifecycle: Lifecycle| async move { lifecycle.stopping().await }).after("database"),
    );
    sup.start(Service::new("web", move |_| stop(Arc::clone(&own))).after("cache"));
    ends_at_once(sup, database, later, "web").await;
}

#[canstop::test]
async fn a_service_that_restarts_itself_does_not_wait(mut sup: Supervisor) {
    let later = Later::default();
    let own = Arc::clone(&later);
    let mut run = 0;
    let service = sup.start(Service::new("web", move |lifecycle: Lifecycle| {
        run += 1;
        let (own, is_first) = (Arc::clone(&own), run == 1);
        async move {
            if is_first {
                assert_eq!(restart(own).await, Ok(()));
            }
            lifecycle.stopping().await;
        }
    }));
    later.set(service).unwrap();
    sup.wait_for(|event| matches!(event, Event::ServiceStarted { run: 2, .. })).await;
    assert_eq!(warnings(&mut sup), [("web".to_owned(), "web".to_owned())]);
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}

#[canstop::test]
async fn a_service_that_stops_another_one_waits(mut sup: Supervisor) {
    let later = Later::default();
    let own = Arc::clone(&later);
    let other = sup.start(Service::new("other", |lifecycle: Lifecycle| async move {
        lifecycle.stopping().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }));
    let stops = sup.start(Service::new("stops", move |_| stop(Arc::clone(&own))));
    let before = tokio::time::Instant::now();
    later.set(other).unwrap();
    assert_eq!(stops.wait().await, ServiceOutcome::Done);
    assert!(before.elapsed() >= Duration::from_secs(1), "it has waited");
    assert_eq!(warnings(&mut sup), []);
    assert_eq!(sup.stop().await.exit, Exit::Clean);
}
