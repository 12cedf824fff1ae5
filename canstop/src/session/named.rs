//! Sessions as a report names them: by their site, and by their label or the request that they serve.

use std::ptr;

use tokio::time::Instant;

use super::label::labelled;
use super::scope::Scope;
use super::snapshot::{self, SessionGroup, Watch};
use super::split::split;
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
    let is_meant = |scope: &'static Scope| ptr::eq(scope.supervisor, supervisor) && owners.contains(&scope.owner);
    let groups = split(groups, labelled(now, is_meant), |group| &mut group.label);
    #[cfg(feature = "http")]
    let groups = split(groups, super::requests::requests(is_meant), |group| &mut group.request);
    groups
}

/// The request that has been served for the longest, and for how long.
#[cfg(feature = "http")]
pub(crate) fn slowest_request(supervisor: &Supervisor) -> Option<String> {
    let requests = super::requests::requests(|scope| ptr::eq(scope.supervisor, supervisor));
    let slowest = requests.into_iter().max_by_key(|request| request.age)?;
    Some(format!("{} for {}", slowest.name, crate::report::Rounded(slowest.age)))
}

/// Nothing serves requests here.
#[cfg(not(feature = "http"))]
pub(crate) fn slowest_request(_supervisor: &Supervisor) -> Option<String> {
    None
}

/// The requests that are being served: the service of each, and its route if it is known.
pub(crate) fn requests_by_route(supervisor: &Supervisor) -> Vec<(Option<String>, Option<String>)> {
    #[cfg(feature = "http")]
    return super::requests::by_route(supervisor);
    #[cfg(not(feature = "http"))]
    {
        let _ = supervisor;
        Vec::new()
    }
}
