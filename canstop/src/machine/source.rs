//! Where the value of a setting comes from.

use std::fmt;
use std::time::Duration;

use super::budget::Allowance;

/// A place where programs run that has rules of its own about how they stop.
///
/// ```
/// use canstop::Platform;
///
/// assert_eq!(Platform::Kubernetes.to_string(), "Kubernetes");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Platform {
    /// Kubernetes: SIGTERM, 30 seconds later SIGKILL; endpoints are withdrawn meanwhile.
    Kubernetes,
    /// Amazon ECS: SIGTERM, 30 seconds later SIGKILL.
    Ecs,
    /// HashiCorp Nomad: SIGINT, 5 seconds later SIGKILL.
    Nomad,
    /// Fly.io: SIGINT, 5 seconds later SIGKILL.
    Fly,
}

impl Platform {
    /// What the stop of a program may take there, if nothing else is set.
    pub(crate) fn allowance(self) -> Allowance {
        match self {
            // Both kill after 30 s. Requests arrive until every proxy and load balancer has been notified of the stop.
            Platform::Kubernetes | Platform::Ecs => {
                Allowance { grace: Duration::from_secs(25), drain_delay: Duration::from_secs(5) }
            }
            // Both kill after 5 s, and take an instance out of their proxy before they signal it.
            Platform::Nomad | Platform::Fly => {
                Allowance { grace: Duration::from_millis(4_500), drain_delay: Duration::ZERO }
            }
        }
    }

    /// Its drain delay, which is chosen for its own grace. With a shorter grace it shrinks to a fifth of that.
    pub(crate) fn drain_delay_within(self, grace: Duration) -> Duration {
        self.allowance().drain_delay.min(grace / 5)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Platform::Kubernetes => "Kubernetes",
            Platform::Ecs => "ECS",
            Platform::Nomad => "Nomad",
            Platform::Fly => "Fly",
        })
    }
}

/// Where the value of a setting comes from; a later one in this list beats an earlier one.
///
/// ```
/// use canstop::testing::Harness;
/// use canstop::{Event, SettingSource, Signal};
///
/// Harness::new().run(async |mut sup| {
///     sup.signal(Signal::Terminate);
///     let _ = sup.stop().await;
///     let stop = sup.events().iter().find(|event| matches!(event, Event::StopRequested { .. }));
///     let Some(Event::StopRequested { grace_source, .. }) = stop else { panic!("it has stopped") };
///     assert_ne!(*grace_source, SettingSource::Environment("CANSTOP_GRACE"));
/// });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SettingSource {
    /// Nothing set it.
    #[default]
    Default,
    /// The platform that the program runs on.
    Platform(Platform),
    /// An option of `#[canstop::main]` or a setter of [`App`](crate::App).
    Code,
    /// This environment variable.
    Environment(&'static str),
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingSource::Default => f.write_str("default"),
            SettingSource::Platform(platform) => platform.fmt(f),
            SettingSource::Code => f.write_str("code"),
            SettingSource::Environment(variable) => f.write_str(variable),
        }
    }
}

/// Where the two times of a stop come from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StopSources {
    pub(crate) grace: SettingSource,
    pub(crate) drain_delay: SettingSource,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_shown_by_its_name() {
        let platforms = [Platform::Kubernetes, Platform::Ecs, Platform::Nomad, Platform::Fly];
        let shown = platforms.map(|platform| SettingSource::Platform(platform).to_string());
        assert_eq!(shown, ["Kubernetes", "ECS", "Nomad", "Fly"]);
        let others = [SettingSource::Default, SettingSource::Code, SettingSource::Environment("CANSTOP_GRACE")];
        assert_eq!(others.map(|source| source.to_string()), ["default", "code", "CANSTOP_GRACE"]);
    }
}
