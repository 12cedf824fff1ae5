//! A service and its tests.
//!
//! The `mailer` sends letters, and tries again when its server does not answer. Its tests run it on a paused
//! clock: a pause of eight seconds takes no time, a signal is a function call, and the events can be read.
//!
//! `cargo run --example testing`, and `cargo test --example testing`

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use canstop::Lifecycle;
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;

/// A mail server that does not answer its first few calls.
#[derive(Debug, Default)]
struct Server {
    away_for: AtomicU32,
    received: AtomicU32,
}

impl Server {
    async fn send(&self, _letter: &str) -> anyhow::Result<()> {
        sleep(Duration::from_millis(300)).await;
        let away = self.away_for.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |calls| calls.checked_sub(1));
        anyhow::ensure!(away.is_err(), "the server does not answer");
        self.received.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Letters to send. It outlives a run of the mailer, so that the next run sends the letter that failed.
#[derive(Clone)]
struct Outbox(Arc<Mutex<(mpsc::Receiver<String>, Option<String>)>>);

impl Outbox {
    fn new(letters: mpsc::Receiver<String>) -> Self {
        Self(Arc::new(Mutex::new((letters, None))))
    }
}

/// Sends letters. At a stop it sends those that are in the channel.
#[canstop::service(backoff = "1s..8s")]
async fn mailer(lifecycle: Lifecycle, outbox: Outbox, server: Arc<Server>) -> anyhow::Result<()> {
    let (letters, unsent) = &mut *outbox.0.lock().await;
    loop {
        if unsent.is_none() {
            *unsent = match lifecycle.run_until_stopping(letters.recv()).await {
                Some(letter) => letter,
                // Stopping: send what is in the channel, and wait for no more.
                None => letters.try_recv().ok(),
            };
        }
        let Some(letter) = unsent.as_deref() else { return Ok(()) };
        server.send(letter).await?;
        *unsent = None;
    }
}

#[canstop::main]
async fn main() {
    tracing_subscriber::fmt().init();
    let server = Arc::new(Server { away_for: AtomicU32::new(1), ..Server::default() });
    let (letters, outbox) = mpsc::channel(8);
    canstop::start(mailer(Outbox::new(outbox), Arc::clone(&server)));
    for letter in ["to Ada", "to Grace"] {
        let _ = letters.send(letter.to_owned()).await;
    }
    drop(letters);
    canstop::run().await;
    println!("the server has received {} letters", server.received.load(Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use canstop::testing::Supervisor;
    use canstop::{Event, Exit, Signal};

    use super::*;

    fn letters(count: usize) -> (mpsc::Sender<String>, Outbox) {
        let (sender, receiver) = mpsc::channel(count);
        for letter in 0..count {
            sender.try_send(format!("letter {letter}")).expect("there is room");
        }
        (sender, Outbox::new(receiver))
    }

    #[canstop::test]
    async fn a_stop_sends_the_letters_in_the_channel(mut sup: Supervisor) {
        let server = Arc::new(Server::default());
        let (_sender, outbox) = letters(5);
        sup.start(mailer(outbox, Arc::clone(&server)));
        sup.advance(Duration::from_millis(400)).await;
        sup.signal(Signal::Terminate);
        let report = sup.stop().await;
        assert_eq!(report.exit, Exit::Clean);
        assert_eq!(server.received.load(Ordering::Relaxed), 5);
    }

    #[canstop::test]
    async fn the_next_run_sends_the_letter_that_failed(mut sup: Supervisor) {
        let server = Arc::new(Server { away_for: AtomicU32::new(2), ..Server::default() });
        let (sender, outbox) = letters(1);
        drop(sender);
        let mailer = sup.start(mailer(outbox, Arc::clone(&server)));
        assert_eq!(mailer.wait().await, canstop::ServiceOutcome::Done);
        assert_eq!(server.received.load(Ordering::Relaxed), 1);
        let failures =
            sup.events().iter().filter(|event| matches!(event, Event::ServiceEnded { restart_in: Some(_), .. }));
        assert_eq!(failures.count(), 2);
    }

    #[canstop::test(grace = "1s")]
    async fn a_slow_server_does_not_delay_the_exit(mut sup: Supervisor) {
        let (_sender, outbox) = letters(8);
        sup.start(mailer(outbox, Arc::new(Server::default())));
        sup.advance(Duration::from_millis(1)).await;
        let report = sup.stop().await;
        assert_eq!(report.exit, Exit::Abandoned);
        assert_eq!(report.stragglers[0].name.as_deref(), Some("mailer"));
        assert!(report.duration <= Duration::from_secs(1));
    }
}
