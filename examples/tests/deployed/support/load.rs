//! Clients that load the tracker.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use canstop_examples::Client;
use canstop_examples::program::PATIENCE;
use uuid::Uuid;

const CLIENTS: usize = 4;
/// How long a refused client waits. The tracker asks for a second, which is too long for a test.
const REFUSED: Duration = Duration::from_millis(10);

enum Seen {
    Created,
    Refused { retry_after: Option<String> },
}

/// Running clients. Each posts one event after the other until the tracker closes its connection.
pub(crate) struct Load {
    clients: Vec<JoinHandle<HashSet<Uuid>>>,
    seen: Receiver<Seen>,
}

impl Load {
    pub(crate) fn begin(address: &str, path: &'static str) -> Self {
        let (sender, seen) = channel();
        let client = |_| {
            let client = Client::connect(address).expect("the tracker listens");
            let seen = sender.clone();
            thread::spawn(move || post_events(client, path, &seen))
        };
        Self { clients: (0..CLIENTS).map(client).collect(), seen }
    }

    /// Waits until `count` more events were answered with 201.
    #[track_caller]
    pub(crate) fn wait_for_created(&self, count: usize) {
        let mut created = 0;
        while created < count {
            match self.seen.recv_timeout(PATIENCE).expect("the tracker answers") {
                Seen::Created => created += 1,
                Seen::Refused { .. } => {}
            }
        }
    }

    /// Waits for an answer of 503, and returns its `retry-after`.
    #[track_caller]
    pub(crate) fn wait_for_refusal(&self) -> Option<String> {
        loop {
            if let Seen::Refused { retry_after } = self.seen.recv_timeout(PATIENCE).expect("the tracker answers") {
                return retry_after;
            }
        }
    }

    /// Waits until every connection has closed, and returns the events whose 201 was read completely.
    pub(crate) fn end(self) -> HashSet<Uuid> {
        let clients = self.clients.into_iter();
        clients.flat_map(|client| client.join().expect("a client does not panic")).collect()
    }
}

fn post_events(mut client: Client, path: &str, seen: &Sender<Seen>) -> HashSet<Uuid> {
    let mut created = HashSet::new();
    loop {
        // Every event has different content, so one that was written twice is found.
        let event = format!(r#"{{"kind":"test","data":"{}"}}"#, Uuid::now_v7());
        let Ok(answer) = client.post(path, &event) else {
            return created;
        };
        let seen_now = match answer.status {
            201 => {
                created.insert(answer.id());
                Seen::Created
            }
            503 => {
                sleep(REFUSED);
                Seen::Refused { retry_after: answer.retry_after }
            }
            // The commit took longer than the tracker waits.
            504 => continue,
            status => panic!("{status} {}", answer.body),
        };
        // The test may have dropped the receiver.
        let _ = seen.send(seen_now);
    }
}
