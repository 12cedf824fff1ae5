//! What any thread may ask or report.

use super::supervisor::{Message, Supervisor};
use crate::machine::Event;

impl Supervisor {
    /// Reports something that needs no decision.
    pub(crate) fn emit(&self, event: Event) {
        self.send(Message::Emit(event));
    }
}
