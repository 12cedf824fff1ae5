//! The platform that a program runs on, and the stop that it allows.

use std::path::Path;
use std::time::Duration;

use super::world::World;
use crate::machine::Platform;

/// Kubernetes mounts this file unless the pod opts out.
const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The values of `CANSTOP_PLATFORM`, besides `none`.
pub(super) const NAMES: [(&str, Platform); 4] =
    [("kubernetes", Platform::Kubernetes), ("ecs", Platform::Ecs), ("nomad", Platform::Nomad), ("fly", Platform::Fly)];

/// How a platform's programs should stop. Each grace ends before the platform's own SIGKILL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) grace: Duration,
    pub(super) drain_delay: Duration,
}

pub(super) fn stop_of(platform: Platform) -> Stop {
    match platform {
        // Both kill after 30 s. Requests arrive until every proxy and load balancer has been notified of the stop.
        Platform::Kubernetes | Platform::Ecs => {
            Stop { grace: Duration::from_secs(25), drain_delay: Duration::from_secs(5) }
        }
        // Both kill after 5 s, and take an instance out of their proxy before they signal it.
        Platform::Nomad | Platform::Fly => Stop { grace: Duration::from_millis(4_500), drain_delay: Duration::ZERO },
    }
}

/// The innermost platform wins: Nomad and Fly run their tasks on machines, Kubernetes runs pods.
pub(super) fn detect(world: &World<'_>) -> Option<Platform> {
    if world.has("KUBERNETES_SERVICE_HOST") || (world.exists)(Path::new(SERVICE_ACCOUNT_TOKEN)) {
        Some(Platform::Kubernetes)
    } else if world.has("ECS_CONTAINER_METADATA_URI_V4") {
        Some(Platform::Ecs)
    } else if world.has("NOMAD_ALLOC_ID") {
        Some(Platform::Nomad)
    } else if world.has("FLY_APP_NAME") {
        Some(Platform::Fly)
    } else {
        None
    }
}
