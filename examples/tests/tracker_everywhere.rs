//! No acknowledged event is lost, wherever the stop comes.

#[allow(dead_code, reason = "the test needs a part of the example")]
#[path = "../examples/tracker/event.rs"]
mod event;
#[allow(dead_code, reason = "the test needs a part of the example")]
#[path = "../examples/tracker/queue.rs"]
mod queue;
#[allow(dead_code, reason = "the test needs a part of the example")]
#[path = "../examples/tracker/store/mod.rs"]
mod store;
#[allow(dead_code, reason = "the test needs a part of the example")]
#[path = "../examples/tracker/batch.rs"]
mod batch;
#[allow(dead_code, reason = "the test needs a part of the example")]
#[path = "../examples/tracker/writer.rs"]
mod writer;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use canstop::testing::Supervisor;
use canstop::{Lifecycle, spawn_session};
use canstop_examples::{ScratchFolder, paced};
use uuid::Uuid;

use crate::event::NewEvent;
use crate::queue::Queue;
use crate::store::Store;
use crate::writer::writer;

const EVENTS: usize = 6;

type Ids = Arc<Mutex<Vec<Uuid>>>;

/// Sends events as `POST /events` does, until it is stopping. An id is in `acknowledged` once its client has the
/// answer: at once, or after the commit.
#[canstop::service(manual, after(writer))]
async fn clients(lifecycle: Lifecycle, queue: Arc<Queue>, durable: bool, acknowledged: Ids) {
    for _ in 0..EVENTS {
        if lifecycle.is_stopping() {
            break;
        }
        let event: NewEvent = serde_json::from_str(r#"{"kind": "page.viewed"}"#).expect("an event");
        let Ok(receipt) = queue.push(event) else { break };
        let id = receipt.id;
        let committed = spawn_session!(receipt.committed());
        if !durable {
            acknowledged.lock().unwrap().push(id);
            tokio::time::sleep(Duration::from_millis(1)).await;
        } else if committed.await.is_ok() {
            acknowledged.lock().unwrap().push(id);
        }
    }
}

async fn no_acknowledged_event_is_lost(mut sup: Supervisor, durable: bool) {
    let folder = ScratchFolder::new_in(env!("CARGO_TARGET_TMPDIR"));
    let database = format!("sqlite:{}", folder.path().join("events.db").display()).parse().expect("a database");
    let acknowledged = Ids::default();
    let stored = paced(async {
        let store = Store::open(database).await.expect("a store");
        let queue = Arc::new(Queue::new(EVENTS));
        sup.start(writer(store.clone(), Arc::clone(&queue)));
        let clients = sup.start(clients(Arc::clone(&queue), durable, Arc::clone(&acknowledged)));
        let _ = clients.wait().await;
        let _ = sup.stop().await;
        store.events(0, 100).await.expect("the events")
    })
    .await;
    let is_stored = |id: &Uuid| stored.iter().any(|event| event.id == *id);
    let acknowledged = acknowledged.lock().unwrap();
    let lost: Vec<_> = acknowledged.iter().filter(|id| !is_stored(id)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

#[canstop::test(stop = "everywhere", limit = 50)]
async fn a_stop_at_any_poll_loses_no_event(sup: Supervisor) {
    no_acknowledged_event_is_lost(sup, false).await;
}

/// Without time to write, only a client that waited for the commit can rely on it.
#[canstop::test(abandon = "everywhere", limit = 50)]
async fn an_abandonment_at_any_poll_loses_no_durable_event(sup: Supervisor) {
    no_acknowledged_event_is_lost(sup, true).await;
}

/// The search finds what it is there for: an event that is acknowledged when it is accepted may be lost when the
/// program is abandoned.
#[test]
#[should_panic(expected = "acknowledged and lost")]
fn an_abandonment_loses_plain_events() {
    canstop::testing::Harness::new()
        .grace(Duration::from_secs(5))
        .abandon_everywhere(async |sup| no_acknowledged_event_is_lost(sup, false).await);
}
