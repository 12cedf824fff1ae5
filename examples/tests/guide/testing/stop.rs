use std::sync::{Arc, Mutex};
use std::time::Duration;

use canstop::testing::Supervisor;
use canstop::{Exit, Lifecycle, Signal};
use tokio::sync::mpsc;
use tokio::time::sleep;

type Rows = Arc<Mutex<Vec<u32>>>;

/// Stores every event. At the stop it stores those that are still in the channel.
#[canstop::service(restart = "never")]
async fn writer(lifecycle: Lifecycle, mut events: mpsc::Receiver<u32>, rows: Rows) {
    while let Some(event) = lifecycle.run_until_stopping(events.recv()).await.flatten() {
        store(event, &rows).await;
    }
    events.close();
    while let Some(event) = events.recv().await {
        store(event, &rows).await;
    }
}

async fn store(event: u32, rows: &Rows) {
    sleep(Duration::from_millis(10)).await;
    rows.lock().unwrap().push(event);
}

#[canstop::test]
async fn a_stop_stores_every_event(mut sup: Supervisor) {
    let (events, receiver) = mpsc::channel(8);
    let rows = Rows::default();
    sup.start(writer(receiver, rows.clone()));
    for event in 1..=3 {
        events.send(event).await.unwrap();
    }
    sup.signal(Signal::Terminate);
    let report = sup.stop().await;
    assert_eq!(report.exit, Exit::Clean);
    assert_eq!(*rows.lock().unwrap(), [1, 2, 3]);
}
