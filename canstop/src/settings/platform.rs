//! The platform that a program runs on.

use std::path::Path;

use super::world::World;
use crate::machine::Platform;

/// Kubernetes mounts this file unless the pod opts out.
const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The values of `CANSTOP_PLATFORM`, besides `none`.
pub(super) const NAMES: [(&str, Platform); 4] =
    [("kubernetes", Platform::Kubernetes), ("ecs", Platform::Ecs), ("nomad", Platform::Nomad), ("fly", Platform::Fly)];

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
