//! `stop = "everywhere"` and `abandon = "everywhere"`: five programs that lose work at one of their `.await`s,
//! each beside one that does not.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use canstop::testing::{Clock, Harness, Supervisor};
use canstop::{Lifecycle, Service, spawn_session};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::sleep;

const ITEMS: u32 = 5;
const STEP: Duration = Duration::from_millis(1);

/// Rows that a writer has stored.
type Rows = Arc<Mutex<Vec<u32>>>;

/// The message of a search that must find something.
fn found(search: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(search)).expect_err("the search finds the fault");
    *panic.downcast::<String>().expect("the panic has a message")
}

fn assert_names(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no `{part}` in:\n{message}");
    }
}

// An `.await` between taking an item and storing it.

#[derive(Clone, Default)]
struct Queue {
    items: Arc<Mutex<VecDeque<u32>>>,
    added: Arc<Notify>,
}

impl Queue {
    fn filled() -> Self {
        let queue = Self { items: Arc::new(Mutex::new((0..ITEMS).collect())), added: Arc::default() };
        queue.added.notify_one();
        queue
    }

    async fn first(&self) -> u32 {
        loop {
            if let Some(item) = self.items.lock().unwrap().front() {
                return *item;
            }
            self.added.notified().await;
        }
    }
}

async fn store(rows: &Rows, item: u32) {
    sleep(STEP).await;
    rows.lock().unwrap().push(item);
}

async fn takes_then_stores(queue: &Queue, rows: &Rows) {
    let item = queue.first().await;
    queue.items.lock().unwrap().pop_front();
    store(rows, item).await;
}

async fn stores_then_takes(queue: &Queue, rows: &Rows) {
    let item = queue.first().await;
    store(rows, item).await;
    queue.items.lock().unwrap().pop_front();
}

/// Moves items until the stop is requested. Whatever is not stored must still be in the queue.
async fn moves_items(mut sup: Supervisor, step: impl AsyncMove) {
    let (queue, rows) = (Queue::filled(), Rows::default());
    let (from, to) = (queue.clone(), rows.clone());
    sup.start(Service::new("mover", move |lifecycle: Lifecycle| {
        let (from, to, step) = (from.clone(), to.clone(), step.clone());
        async move {
            loop {
                tokio::select! {
                    biased;
                    () = lifecycle.stopping() => break,
                    () = step.step(&from, &to) => {}
                }
            }
        }
    }));
    sup.advance(STEP * (ITEMS + 1)).await;
    assert!(sup.stop().await.is_clean());
    let mut all = rows.lock().unwrap().clone();
    all.extend(queue.items.lock().unwrap().iter());
    assert_eq!(all, (0..ITEMS).collect::<Vec<_>>(), "every item is stored or in the queue");
}

/// An `async fn` of a queue and its rows, whose future is `Send`.
trait AsyncMove: Clone + Send + Sync + 'static {
    fn step(&self, queue: &Queue, rows: &Rows) -> impl Future<Output = ()> + Send;
}

#[derive(Clone)]
struct TakesThenStores;

impl AsyncMove for TakesThenStores {
    async fn step(&self, queue: &Queue, rows: &Rows) {
        takes_then_stores(queue, rows).await;
    }
}

#[derive(Clone)]
struct StoresThenTakes;

impl AsyncMove for StoresThenTakes {
    async fn step(&self, queue: &Queue, rows: &Rows) {
        stores_then_takes(queue, rows).await;
    }
}

#[test]
fn an_item_lost_between_taking_and_storing_is_found() {
    let message = found(|| Harness::new().stop_everywhere(async |sup| moves_items(sup, TakesThenStores).await));
    assert_names(
        &message,
        &[
            "stopped after poll 1 of",
            "every item is stored or in the queue",
            "poll 1 of service `mover`",
            "CANSTOP_STOP_AT=1",
        ],
    );
}

#[canstop::test(stop = "everywhere")]
async fn an_item_stored_before_it_is_taken_is_never_lost(sup: Supervisor) {
    moves_items(sup, StoresThenTakes).await;
}

// A `select!` that drops a line that is half read.

async fn read_line(stream: &mut DuplexStream) -> Option<String> {
    let mut line = Vec::new();
    read_rest_of_line(stream, &mut line).await
}

/// Cancel safe: what was read stays in `line`.
async fn read_rest_of_line(stream: &mut DuplexStream, line: &mut Vec<u8>) -> Option<String> {
    loop {
        let byte = stream.read_u8().await.ok()?;
        if byte == b'\n' {
            return Some(String::from_utf8(std::mem::take(line)).unwrap());
        }
        line.push(byte);
    }
}

/// Reads every line, and writes down when the stop is requested meanwhile.
async fn reads_lines(mut sup: Supervisor, keeps_half_a_line: bool) {
    let (mut client, server) = duplex(64);
    let server = Arc::new(tokio::sync::Mutex::new(server));
    let lines = Arc::new(Mutex::new(Vec::new()));
    let read = lines.clone();
    sup.start(Service::new("reader", move |lifecycle: Lifecycle| {
        let (server, lines) = (server.clone(), read.clone());
        async move {
            let mut server = server.lock().await;
            let mut half = Vec::new();
            let mut is_stopping = false;
            loop {
                let next = async {
                    if keeps_half_a_line {
                        read_rest_of_line(&mut server, &mut half).await
                    } else {
                        read_line(&mut server).await
                    }
                };
                tokio::select! {
                    biased;
                    () = lifecycle.stopping(), if !is_stopping => is_stopping = true,
                    line = next => match line {
                        Some(line) => lines.lock().unwrap().push(line),
                        None => break,
                    },
                }
            }
        }
    }));
    for part in ["first\nsec", "ond\nth", "ird\n"] {
        client.write_all(part.as_bytes()).await.unwrap();
        sup.advance(STEP).await;
    }
    drop(client);
    assert!(sup.stop().await.is_clean());
    assert_eq!(*lines.lock().unwrap(), ["first", "second", "third"], "every line is whole");
}

#[test]
fn a_half_read_line_that_is_dropped_is_found() {
    let message = found(|| Harness::new().stop_everywhere(async |sup| reads_lines(sup, false).await));
    assert_names(&message, &["every line is whole", "of service `reader`", "canstop/tests/everywhere.rs"]);
}

#[canstop::test(stop = "everywhere")]
async fn a_half_read_line_that_is_kept_is_never_lost(sup: Supervisor) {
    reads_lines(sup, true).await;
}

// A lock that is held over the stop.

async fn shares_a_lock(mut sup: Supervisor, releases_first: bool) {
    let lock = Arc::new(tokio::sync::Mutex::new(0));
    let flushed = Arc::new(Notify::new());
    let (held, is_flushed) = (lock.clone(), flushed.clone());
    sup.start(Service::new("counter", move |lifecycle: Lifecycle| {
        let (lock, flushed) = (held.clone(), is_flushed.clone());
        async move {
            loop {
                let mut count = lock.lock().await;
                sleep(STEP * 10).await;
                *count += 1;
                if releases_first {
                    drop(count);
                    if lifecycle.is_stopping() {
                        break flushed.notified().await;
                    }
                } else if lifecycle.is_stopping() {
                    // The other service needs the lock, which this one holds.
                    break flushed.notified().await;
                }
                sleep(STEP * 10).await;
            }
        }
    }));
    sup.start(Service::new("flusher", move |lifecycle: Lifecycle| {
        let (lock, flushed) = (lock.clone(), flushed.clone());
        async move {
            lifecycle.stopping().await;
            *lock.lock().await += 1;
            flushed.notify_one();
        }
    }));
    // The lock is free now.
    sup.advance(STEP * 35).await;
    let _ = sup.stop().await;
}

#[test]
fn a_lock_held_over_the_stop_is_found() {
    let message = found(|| Harness::new().stop_everywhere(async |sup| shares_a_lock(sup, false).await));
    assert_names(&message, &["the exit is abandoned", "abandoned: service `counter`", "service `flusher`"]);
}

#[canstop::test(stop = "everywhere")]
async fn a_lock_released_before_the_wait_holds_up_no_stop(sup: Supervisor) {
    shares_a_lock(sup, true).await;
}

// An acknowledgement before the commit.

async fn acknowledges(mut sup: Supervisor, commits_first: bool) {
    let rows = Rows::default();
    let (queue, items) = mpsc::unbounded_channel::<(u32, oneshot::Sender<()>)>();
    let (committed, items) = (rows.clone(), Arc::new(tokio::sync::Mutex::new(items)));
    sup.start(Service::new("writer", move |_: Lifecycle| {
        let (rows, items) = (committed.clone(), items.clone());
        async move {
            while let Some((item, acknowledge)) = items.lock().await.recv().await {
                if commits_first {
                    store(&rows, item).await;
                    let _ = acknowledge.send(());
                } else {
                    let _ = acknowledge.send(());
                    store(&rows, item).await;
                }
            }
        }
    }));
    let mut acknowledged = Vec::new();
    for item in 0..ITEMS {
        let (acknowledge, is_acknowledged) = oneshot::channel();
        if queue.send((item, acknowledge)).is_ok() && is_acknowledged.await.is_ok() {
            acknowledged.push(item);
        }
    }
    drop(queue);
    let _ = sup.stop().await;
    let rows = rows.lock().unwrap();
    let lost: Vec<_> = acknowledged.iter().filter(|item| !rows.contains(item)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

#[test]
fn an_acknowledgement_before_the_commit_is_found() {
    let message = found(|| Harness::new().abandon_everywhere(async |sup| acknowledges(sup, false).await));
    assert_names(
        &message,
        &["abandoned after poll", "acknowledged and lost: [0]", "of service `writer`", "CANSTOP_ABANDON_AT="],
    );
}

#[canstop::test(abandon = "everywhere")]
async fn an_acknowledgement_after_the_commit_is_kept(sup: Supervisor) {
    acknowledges(sup, true).await;
}

// A session that a destructor spawns.

/// A lease that must be returned.
struct Lease {
    returned: Arc<Mutex<u32>>,
    by_a_session: bool,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let returned = self.returned.clone();
        if self.by_a_session {
            spawn_session!(async move {
                sleep(STEP).await;
                *returned.lock().unwrap() += 1;
            });
        } else {
            *returned.lock().unwrap() += 1;
        }
    }
}

async fn returns_leases(mut sup: Supervisor, by_a_session: bool) {
    let returned = Arc::<Mutex<u32>>::default();
    let leased = Arc::<Mutex<u32>>::default();
    let counters = (leased.clone(), returned.clone());
    spawn_session!(async move {
        for _ in 0..ITEMS {
            *counters.0.lock().unwrap() += 1;
            let _lease = Lease { returned: counters.1.clone(), by_a_session };
            sleep(STEP).await;
        }
    });
    sup.advance(STEP * (2 * ITEMS)).await;
    let _ = sup.stop().await;
    sup.advance(STEP).await;
    assert_eq!(*returned.lock().unwrap(), *leased.lock().unwrap(), "every lease is returned");
}

#[test]
fn a_session_that_a_destructor_spawns_is_found() {
    let message = found(|| Harness::new().abandon_everywhere(async |sup| returns_leases(sup, true).await));
    assert_names(&message, &["every lease is returned", "poll 1 of session (canstop/tests/everywhere.rs:"]);
}

#[canstop::test(abandon = "everywhere")]
async fn a_destructor_that_needs_no_session_returns_its_lease(sup: Supervisor) {
    returns_leases(sup, false).await;
}

// The search itself.

#[test]
fn a_search_that_samples_finds_the_first_poll_that_fails() {
    let polls = |message: &str| message.split_whitespace().nth(3).unwrap().parse::<u32>().unwrap();
    let search = |harness: Harness| {
        found(|| {
            harness.abandon_everywhere(async |mut sup: Supervisor| {
                let steps = Arc::<Mutex<u32>>::default();
                let counted = steps.clone();
                spawn_session!(async move {
                    for _ in 0..200 {
                        sleep(STEP).await;
                        *counted.lock().unwrap() += 1;
                    }
                });
                sup.advance(STEP * 300).await;
                let _ = sup.stop().await;
                let steps = *steps.lock().unwrap();
                assert!(!(150..200).contains(&steps), "it was at step {steps}");
            });
        })
    };
    let all = search(Harness::new());
    assert_eq!(polls(&all), 151, "{all}");
    for seed in 0..3 {
        assert_eq!(polls(&search(Harness::new().limit(20).seed(seed))), 151);
    }
}

#[test]
#[should_panic(expected = "there is nowhere to stop it")]
fn a_test_without_polls_is_refused() {
    Harness::new().stop_everywhere(async |_: Supervisor| {});
}

#[test]
#[should_panic(expected = "needs the paused clock")]
fn a_real_clock_is_refused() {
    Harness::new().clock(Clock::Real).stop_everywhere(async |_: Supervisor| {});
}

#[canstop::test(stop = "everywhere", limit = 3)]
async fn a_test_that_returns_a_result_is_judged_by_it(mut sup: Supervisor) -> Result<(), String> {
    spawn_session!(sleep(STEP));
    sup.advance(STEP * 2).await;
    if sup.stop().await.is_clean() { Ok(()) } else { Err("not clean".to_owned()) }
}
