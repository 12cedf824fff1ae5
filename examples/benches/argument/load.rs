//! Clients that post events and measure their waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use canstop_examples::{Answer, Client};
use uuid::Uuid;

const CLIENTS: u32 = 8;
/// How long a client waits after a refused connection before it tries again.
const CONNECT_AGAIN: Duration = Duration::from_millis(5);
/// How long a client waits after a 503. The tracker asks for a second.
const REFUSED: Duration = Duration::from_millis(10);

/// When a client posts its next event.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// When it has the answer to the last one.
    AsFastAsCan,
    /// By the clock, at this rate for all clients together. A late client does not skip events, and waits are
    /// measured from the scheduled time: so a tracker that does not answer cannot hide it.
    ASecond(u32),
}

/// A posted event.
pub(crate) struct Post {
    /// When it was scheduled.
    pub(crate) at: Instant,
    /// From the scheduled time to the answer.
    pub(crate) took: Duration,
    /// The id, if it was answered with 201.
    pub(crate) created: Option<Uuid>,
}

pub(crate) struct Load {
    began: Instant,
    enough: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Post>>>,
}

impl Load {
    pub(crate) fn begin(address: &str, path: &'static str, pace: Pace) -> Self {
        let (began, enough) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let client = |number| {
            let (address, enough) = (address.to_owned(), Arc::clone(&enough));
            thread::spawn(move || post_events(&address, path, Clock { pace, began, number, posted: 0 }, &enough))
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { began, enough, clients }
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Waits until every client has its last answer.
    pub(crate) fn enough(self) -> Vec<Post> {
        self.enough.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().expect("a client does not panic")).collect()
    }
}

struct Clock {
    pace: Pace,
    began: Instant,
    /// The clients start one after the other, not all at once.
    number: u32,
    posted: u32,
}

impl Clock {
    /// Waits until the next event is due, and returns its scheduled time.
    fn next(&mut self) -> Instant {
        let Pace::ASecond(rate) = self.pace else { return Instant::now() };
        let due = self.began + Duration::from_secs(1) * (self.posted * CLIENTS + self.number) / rate;
        self.posted += 1;
        sleep(due.saturating_duration_since(Instant::now()));
        due
    }
}

fn post_events(address: &str, path: &str, mut clock: Clock, enough: &AtomicBool) -> Vec<Post> {
    let mut posts = Vec::new();
    let mut client = None;
    while !enough.load(Ordering::Relaxed) {
        let at = clock.next();
        let event = format!(r#"{{"kind":"page.viewed","data":{{"visitor":"{}","path":"/"}}}}"#, Uuid::now_v7());
        let Some(answer) = post(&mut client, address, path, &event, enough) else { break };
        let created = (answer.status == 201).then(|| answer.id());
        posts.push(Post { at, took: at.elapsed(), created });
        if created.is_none() {
            sleep(REFUSED);
        }
    }
    posts
}

/// Posts an event until there is an answer; `None` if the measurement ends before.
fn post(client: &mut Option<Client>, address: &str, path: &str, event: &str, enough: &AtomicBool) -> Option<Answer> {
    while !enough.load(Ordering::Relaxed) {
        if client.is_none() {
            *client = Client::connect(address).ok();
        }
        match client.as_mut().map(|client| client.post(path, event)) {
            Some(Ok(answer)) => return Some(answer),
            Some(Err(_)) => *client = None,
            None => sleep(CONNECT_AGAIN),
        }
    }
    None
}
