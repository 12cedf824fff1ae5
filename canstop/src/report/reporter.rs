//! The thread that tells.
//!
//! A subscriber is user code: it may wait for a lock that a stuck worker holds, or for a pipe that
//! nobody reads. So the control plane hands over what is to be said, and never waits for it without
//! a limit.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::machine::Event;

enum Order {
    Tell { event: Event, urgent: bool },
    Answer(mpsc::SyncSender<()>),
}

/// The control plane's end of the telling thread.
#[derive(Debug)]
pub(crate) struct Reporter {
    /// Without a thread it tells by itself: in a test nobody waits for the deadline.
    orders: Option<mpsc::Sender<Order>>,
}

impl Reporter {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system has no thread left.
    pub(crate) fn start() -> io::Result<Self> {
        let (orders, queue) = mpsc::channel();
        thread::Builder::new().name("canstop-report".to_owned()).spawn(move || {
            while let Ok(order) = queue.recv() {
                match order {
                    Order::Tell { event, urgent } => event.tell(urgent),
                    Order::Answer(answer) => {
                        let _ = answer.send(());
                    }
                }
            }
        })?;
        Ok(Self { orders: Some(orders) })
    }

    /// One that tells on the thread that calls it, for tests.
    #[cfg(feature = "testing")]
    pub(crate) fn of_test() -> Self {
        Self { orders: None }
    }

    pub(crate) fn tell(&self, event: Event) {
        self.order(event, false);
    }

    /// Says it on stderr too, whoever listens.
    pub(crate) fn tell_urgently(&self, event: Event) {
        self.order(event, true);
    }

    fn order(&self, event: Event, urgent: bool) {
        match &self.orders {
            Some(orders) => {
                let _ = orders.send(Order::Tell { event, urgent });
            }
            None => event.tell_test(),
        }
    }

    /// Waits until all is said, but not longer than this. Says whether it is.
    pub(crate) fn flush(&self, limit: Duration) -> bool {
        let Some(orders) = &self.orders else { return true };
        let (answer, answered) = mpsc::sync_channel(1);
        orders.send(Order::Answer(answer)).is_ok() && answered.recv_timeout(limit).is_ok()
    }
}
