//! Sessions as a report names them: by their site, or by the request that they serve.

use tokio::time::Instant;

use super::snapshot::{self, SessionGroup, Watch};
use super::supervisor::Supervisor;
use crate::machine::Owner;

/// Names what is alive among these owners' sessions.
pub(crate) fn snapshot_sessions(
    supervisor: &Supervisor,
    watch: &Watch,
    owners: &[Owner],
    now: Instant,
) -> Vec<SessionGroup> {
    let groups = snapshot::snapshot_sessions(supervisor, watch, owners, now);
    #[cfg(feature = "http")]
    let groups = super::requests::name_requests(groups, |scope| {
        std::ptr::eq(scope.supervisor, supervisor) && owners.contains(&scope.owner)
    });
    groups
}

/// The request that has been served for the longest, and for how long.
#[cfg(feature = "http")]
pub(crate) fn slowest_request(supervisor: &Supervisor) -> Option<String> {
    let requests = super::requests::requests(|scope| std::ptr::eq(scope.supervisor, supervisor));
    let slowest = requests.into_iter().max_by_key(|request| request.age)?;
    Some(format!("{} for {}", slowest.label, crate::report::Rounded(slowest.age)))
}

/// Nothing serves requests here.
#[cfg(not(feature = "http"))]
pub(crate) fn slowest_request(_supervisor: &Supervisor) -> Option<String> {
    None
}
