//! What the machine remembers between two questions whether the program is ready.

use super::id::ServiceId;

/// What the machine remembers for readiness.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadinessMemory {
    /// Everything was ready once.
    pub(super) started: bool,
    /// The service that was found unready last: as long as it is, no other needs to be looked at.
    pub(super) witness: Option<ServiceId>,
    pub(super) holds: Vec<(u64, String)>,
}
