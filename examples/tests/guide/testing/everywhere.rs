use std::sync::{Arc, Mutex};
use std::time::Duration;

use canstop::Lifecycle;
use canstop::testing::Supervisor;
use tokio::sync::mpsc;
use tokio::time::sleep;

type Rows = Arc<Mutex<Vec<u32>>>;

/// One event from the channel into the rows.
async fn step(events: &mut mpsc::Receiver<u32>, rows: &Rows) -> Option<()> {
    let event = events.recv().await?;
    sleep(Duration::from_millis(10)).await; // the database
    rows.lock().unwrap().push(event);
    Some(())
}

#[canstop::service(restart = "never")]
async fn writer(lifecycle: Lifecycle, mut events: mpsc::Receiver<u32>, rows: Rows) {
    while let Some(Some(())) = lifecycle.run_until_stopping(step(&mut events, &rows)).await {}
    events.close();
    while let Some(()) = step(&mut events, &rows).await {}
}

#[canstop::test(stop = "everywhere")]
#[should_panic(expected = "every accepted event is stored")] // It finds the fault.
async fn no_event_is_lost(mut sup: Supervisor) {
    let (events, receiver) = mpsc::channel(8);
    let rows = Rows::default();
    sup.start(writer(receiver, rows.clone()));
    let mut accepted = Vec::new();
    for event in 1..=3 {
        if events.send(event).await.is_ok() {
            accepted.push(event);
        }
        sup.advance(Duration::from_millis(15)).await;
    }
    assert!(sup.stop().await.is_clean());
    assert_eq!(*rows.lock().unwrap(), accepted, "every accepted event is stored");
}
