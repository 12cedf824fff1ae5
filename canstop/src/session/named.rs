//! Sessions as a report names them: by their site, and by their label or the request that they serve.

use std::collections::HashSet;
use std::ptr;
use std::time::Duration;

use tokio::time::Instant;

use super::hub::Hub;
use super::label::labelled;
use super::scope::Scope;
use super::snapshot::{SessionGroup, sessions_by_site};
use super::split::split;
use super::supervisor::Supervisor;
use super::watch::Watch;
use crate::machine::Owner;

/// The time for naming sessions. It limits the naming of very many, so that the process has time left to end by
/// itself at its deadline; in a release build a hundred thousand take a few milliseconds.
const LIMIT: Duration = Duration::from_millis(60);

/// Names the live sessions of these owners. Of very many sessions it counts each, but may leave the age, the label
/// or the request of some out.
pub(crate) fn snapshot_sessions(
    supervisor: &Supervisor,
    watch: &Watch,
    owners: &[Owner],
    now: Instant,
) -> Vec<SessionGroup> {
    // A test's clock may be paused; this one is not.
    let began = std::time::Instant::now();
    let owners: HashSet<_> = owners.iter().copied().collect();
    let groups = sessions_by_site(supervisor, watch, &owners, now, began + LIMIT / 3);
    let is_meant = |scope: &'static Scope| is_of(scope, supervisor) && owners.contains(&scope.owner);
    // Each step has its share, so that one cannot use up the time of the next.
    let labelled = labelled(now, began + LIMIT / 2, is_meant);
    let groups = split(groups, labelled, |group| &mut group.label, began + LIMIT * 2 / 3);
    #[cfg(feature = "http")]
    let groups = split(groups, super::requests::requests(is_meant), |group| &mut group.request, began + LIMIT);
    groups
}

fn is_of(scope: &Scope, supervisor: &Supervisor) -> bool {
    let hub: &Hub = supervisor;
    ptr::eq(scope.hub, hub)
}

/// The request that has been served for the longest, and for how long.
#[cfg(feature = "http")]
pub(crate) fn slowest_request(supervisor: &Supervisor) -> Option<String> {
    let requests = super::requests::requests(|scope| is_of(scope, supervisor));
    let slowest = requests.into_iter().max_by_key(|request| request.age)?;
    Some(format!("{} for {}", slowest.name, crate::report::Rounded(slowest.age)))
}

/// Without `http`, nothing serves requests.
#[cfg(not(feature = "http"))]
pub(crate) fn slowest_request(_supervisor: &Supervisor) -> Option<String> {
    None
}

/// The requests that are being served: the service of each, and its route if it is known.
pub(crate) fn requests_by_route(supervisor: &Supervisor) -> Vec<(Option<String>, Option<String>)> {
    #[cfg(feature = "http")]
    return super::requests::by_route(|scope| is_of(scope, supervisor));
    #[cfg(not(feature = "http"))]
    {
        let _ = supervisor;
        Vec::new()
    }
}
