//! Looking at the queues of connections that wait for listeners.

use std::collections::BTreeMap;

use super::event_loop::EventLoop;
use crate::listen::{ListenerQueue, accept_queues};
use crate::machine::{Event, Time};
use crate::report::Rounded;
use crate::session::TICK;

impl EventLoop {
    /// Reads the listeners' queues, and reports a listener that does not accept before `/livez` fails for it.
    pub(super) fn look_at_queues(&mut self, now: Time) {
        let queues = accept_queues(self.supervisor);
        let mut by_name = BTreeMap::new();
        for ListenerQueue { name, queue, .. } in &queues {
            *by_name.entry(name.clone()).or_default() += queue.waiting;
        }
        self.supervisor.numbers().accept_queues = by_name;
        if self.operations.pulse.is_none() {
            return;
        }
        let waiting = queues.iter().filter(|queue| queue.should_accept).map(|ListenerQueue { queue, .. }| *queue);
        self.operations.accept_stalls.look(now, self.tick, waiting);
        if self.state.phase().is_stopping() {
            return;
        }
        let reported_after = self.operations.stall.saturating_sub(TICK);
        for (listener, age) in self.operations.accept_stalls.newly_over(now, reported_after) {
            let Some(known) = queues.iter().find(|known| known.queue.listener == listener) else { continue };
            let warning = format!(
                "{} connections wait, and none was accepted for {}; is `accept()` called in a loop that nothing blocks?",
                known.queue.waiting,
                Rounded(age),
            );
            self.emit(Event::ListenerWarning { listener: known.name.clone(), warning }, false);
        }
    }
}
