//! Resolving each setting to a value and its source.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::platform;
use super::value::{self, LogLevel, Plain};
use super::world::World;
use crate::machine::{Platform, SettingSource};

const GRACE_VARIABLE: &str = "CANSTOP_GRACE";
const DELAY_VARIABLE: &str = "CANSTOP_DRAIN_DELAY";

const DEFAULT_GRACE: Duration = Duration::from_secs(5);
const DEFAULT_STALL: Duration = Duration::from_secs(30);
const DEFAULT_BLOCKED: Duration = Duration::from_secs(1);

/// A value and its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) source: SettingSource,
}

impl<T> Setting<T> {
    fn new(value: T, source: SettingSource) -> Self {
        Self { value, source }
    }
}

/// The settings in code; `None` where there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct InCode {
    pub(crate) grace: Option<Duration>,
    pub(crate) drain_delay: Option<Duration>,
    pub(crate) stall: Option<Duration>,
    pub(crate) blocked: Option<Duration>,
    #[cfg(all(unix, feature = "handover"))]
    pub(crate) upgrade_timeout: Option<Duration>,
    pub(crate) health: Option<String>,
    pub(crate) status: Option<bool>,
    pub(crate) metrics: Option<bool>,
}

/// Every resolved setting.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    pub(crate) grace: Setting<Duration>,
    pub(crate) drain_delay: Setting<Duration>,
    /// How long the data plane may be stalled before the program counts as dead.
    pub(crate) stall: Duration,
    /// After which time a blocked thread is reported; `None` means never.
    pub(crate) blocked: Option<Duration>,
    /// How long a new process may take to become ready, if that is set.
    #[cfg(all(unix, feature = "handover"))]
    pub(crate) upgrade_timeout: Option<Duration>,
    /// The address of the health endpoint; `None` if it is off.
    pub(crate) health: Option<SocketAddr>,
    pub(crate) status: bool,
    pub(crate) metrics: bool,
    /// Whether process managers are notified.
    pub(crate) notify: bool,
    pub(crate) log: LogLevel,
}

impl Resolved {
    /// Resolves every setting.
    ///
    /// # Errors
    ///
    /// The first invalid setting: its name, its value and what to write instead.
    pub(crate) fn decide(code: &InCode, world: &World<'_>) -> Result<Self, Fault> {
        let platform = read_platform(world)?;
        let of_platform = |choose: &dyn Fn(Platform) -> Duration| {
            platform.map(|platform| Setting::new(choose(platform), SettingSource::Platform(platform)))
        };
        let grace = first(
            (GRACE_VARIABLE, read(world, GRACE_VARIABLE, value::positive)?),
            code.grace,
            of_platform(&|platform| platform.allowance().grace)
                .unwrap_or(Setting::new(DEFAULT_GRACE, SettingSource::Default)),
        );
        let drain_delay = first(
            (DELAY_VARIABLE, read(world, DELAY_VARIABLE, value::duration)?),
            code.drain_delay,
            of_platform(&|platform| platform.drain_delay_within(grace.value))
                .unwrap_or(Setting::new(Duration::ZERO, SettingSource::Default)),
        );
        if !drain_delay.value.is_zero() && drain_delay.value >= grace.value {
            return Err(Fault(format!(
                "the drain delay of {} ({}) leaves nothing of the grace of {} ({}); it is part of it, so make it \
                 shorter or the grace longer",
                Plain(drain_delay.value),
                drain_delay.source,
                Plain(grace.value),
                grace.source,
            )));
        }
        let health_in_code = code.health.as_deref().map(|text| {
            value::or_off(text, value::address).map_err(|why| Fault(format!("the health address is \"{text}\": {why}")))
        });
        let health_in_code = health_in_code.transpose()?.flatten();
        let blocked = read(world, "CANSTOP_BLOCKED", |text| value::or_off(text, value::positive))?;
        Ok(Self {
            grace,
            drain_delay,
            stall: read(world, "CANSTOP_STALL", value::positive)?.or(code.stall).unwrap_or(DEFAULT_STALL),
            blocked: blocked.unwrap_or(Some(code.blocked.unwrap_or(DEFAULT_BLOCKED))),
            #[cfg(all(unix, feature = "handover"))]
            upgrade_timeout: read(world, "CANSTOP_UPGRADE_TIMEOUT", value::positive)?.or(code.upgrade_timeout),
            health: read(world, "CANSTOP_HEALTH", |text| value::or_off(text, value::address))?
                .unwrap_or(health_in_code),
            status: read(world, "CANSTOP_STATUS", value::switch)?.or(code.status).unwrap_or(false),
            metrics: read(world, "CANSTOP_METRICS", value::switch)?.or(code.metrics).unwrap_or(false),
            notify: read(world, "CANSTOP_NOTIFY", value::switch)?.unwrap_or(true),
            log: read(world, "CANSTOP_LOG", value::log_level)?.unwrap_or_default(),
        })
    }
}

fn read_platform(world: &World<'_>) -> Result<Option<Platform>, Fault> {
    let mut words = vec![("none", None)];
    words.extend(platform::NAMES.map(|(name, platform)| (name, Some(platform))));
    let named = read(world, "CANSTOP_PLATFORM", |text| value::one_of(text, &words))?;
    Ok(named.unwrap_or_else(|| platform::detect(world)))
}

/// Reads a variable, if it is set.
fn read<T>(world: &World<'_>, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, Fault> {
    let Some(value) = world.get(name) else { return Ok(None) };
    let text = value.to_string_lossy();
    let parsed = match value.to_str() {
        Some(text) => parse(text),
        None => Err("it is not UTF-8".to_owned()),
    };
    parsed.map(Some).map_err(|why| {
        // The reason often begins with the value, which this message already contains.
        let quoted = format!("\"{text}\" ");
        let why = why.strip_prefix(&quoted).map_or_else(|| why.clone(), |rest| format!("it {rest}"));
        Fault(format!("{name} is \"{text}\": {why}"))
    })
}

/// The value from the environment, or else from code, or else the fallback.
fn first<T>(
    (variable, in_environment): (&'static str, Option<T>),
    in_code: Option<T>,
    fallback: Setting<T>,
) -> Setting<T> {
    match (in_environment, in_code) {
        (Some(value), _) => Setting::new(value, SettingSource::Environment(variable)),
        (None, Some(value)) => Setting::new(value, SettingSource::Code),
        (None, None) => fallback,
    }
}

/// Why the program cannot start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::*;

    /// Resolves with these variables set, and no service-account token mounted.
    fn decide(code: &InCode, variables: &[(&str, &str)]) -> Result<Resolved, Fault> {
        let variable = |name: &str| {
            let set = variables.iter().find(|(known, _)| *known == name);
            set.map(|(_, value)| OsString::from(value))
        };
        Resolved::decide(code, &World { variable: &variable, exists: &|_: &Path| false })
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn in_code(grace: Option<u64>, drain_delay: Option<u64>) -> InCode {
        InCode { grace: grace.map(ms), drain_delay: drain_delay.map(ms), ..InCode::default() }
    }

    const SOURCES: [SettingSource; 4] = [
        SettingSource::Environment(GRACE_VARIABLE),
        SettingSource::Code,
        SettingSource::Platform(Platform::Kubernetes),
        SettingSource::Default,
    ];

    #[test]
    fn environment_overrides_code_platform_and_default() {
        // Every combination of sources: the first one of SOURCES that is set wins.
        for speakers in 0..8_usize {
            let speaks = |source: usize| speakers & (1 << source) != 0;
            let mut variables = Vec::new();
            if speaks(0) {
                variables.push((GRACE_VARIABLE, "7s"));
            }
            if speaks(2) {
                variables.push(("KUBERNETES_SERVICE_HOST", "10.0.0.1"));
            }
            let code = in_code(speaks(1).then_some(9_000), None);
            let winner = (0..3).find(|&source| speaks(source)).unwrap_or(3);
            let expected = [7_000, 9_000, 25_000, 5_000][winner];
            let grace = decide(&code, &variables).unwrap().grace;
            assert_eq!(grace, Setting { value: ms(expected), source: SOURCES[winner] }, "{speakers:03b}");
        }
    }

    #[test]
    fn each_platform_is_detected_and_has_its_own_stop() {
        for (variable, platform, grace, drain_delay) in [
            ("KUBERNETES_SERVICE_HOST", Platform::Kubernetes, 25_000, 5_000),
            ("ECS_CONTAINER_METADATA_URI_V4", Platform::Ecs, 25_000, 5_000),
            ("NOMAD_ALLOC_ID", Platform::Nomad, 4_500, 0),
            ("FLY_APP_NAME", Platform::Fly, 4_500, 0),
        ] {
            let resolved = decide(&InCode::default(), &[(variable, "x")]).unwrap();
            let source = SettingSource::Platform(platform);
            assert_eq!(resolved.grace, Setting { value: ms(grace), source }, "{variable}");
            assert_eq!(resolved.drain_delay, Setting { value: ms(drain_delay), source }, "{variable}");
            let named = platform::NAMES.iter().find(|(_, known)| *known == platform).unwrap().0;
            let forced = decide(&InCode::default(), &[("CANSTOP_PLATFORM", named)]).unwrap();
            assert_eq!(forced.grace, resolved.grace);
            let ignored = decide(&InCode::default(), &[(variable, "x"), ("CANSTOP_PLATFORM", "none")]).unwrap();
            assert_eq!(ignored.grace, Setting { value: ms(5_000), source: SettingSource::Default });
            assert_eq!(ignored.drain_delay, Setting { value: Duration::ZERO, source: SettingSource::Default });
        }
    }

    #[test]
    fn a_service_account_token_means_kubernetes() {
        let exists = |path: &Path| path == Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token");
        let world = World { variable: &|_| None, exists: &exists };
        let resolved = Resolved::decide(&InCode::default(), &world).unwrap();
        assert_eq!(resolved.grace.source, SettingSource::Platform(Platform::Kubernetes));
    }

    #[test]
    fn a_platform_never_makes_a_grace_from_code_impossible() {
        for (grace, drain_delay) in [(5_000, 1_000), (1_000, 200), (60_000, 5_000)] {
            let on_kubernetes = [("KUBERNETES_SERVICE_HOST", "x")];
            let resolved = decide(&in_code(Some(grace), None), &on_kubernetes).unwrap();
            assert_eq!(resolved.drain_delay.value, ms(drain_delay), "{grace}");
            assert_eq!(resolved.drain_delay.source, SettingSource::Platform(Platform::Kubernetes));
        }
    }

    #[test]
    fn a_drain_delay_that_fills_the_grace_names_both_sources() {
        for (code, variables, parts) in [
            (in_code(None, None), [(DELAY_VARIABLE, "5s")], ["5 s (CANSTOP_DRAIN_DELAY)", "5 s (default)"]),
            (in_code(Some(2_000), None), [(DELAY_VARIABLE, "2500ms")], ["2.5 s (CANSTOP_DRAIN_DELAY)", "2 s (code)"]),
            (in_code(None, Some(250)), [(GRACE_VARIABLE, "250ms")], ["250 ms (code)", "250 ms (CANSTOP_GRACE)"]),
            (in_code(None, Some(4_500)), [("FLY_APP_NAME", "x")], ["4.5 s (code)", "4.5 s (Fly)"]),
        ] {
            let fault = decide(&code, &variables).unwrap_err().to_string();
            assert!(parts.iter().all(|part| fault.contains(part)), "{fault}");
        }
    }

    #[test]
    fn a_bad_value_is_named_with_what_to_write_instead() {
        for (variable, value, why) in [
            (GRACE_VARIABLE, "five", "it does not begin with a number; write for example \"5s\""),
            (GRACE_VARIABLE, "5", "it has no unit; write \"5s\""),
            (GRACE_VARIABLE, "0s", "that is no time at all"),
            (DELAY_VARIABLE, "-1s", "it does not begin with a number"),
            ("CANSTOP_STALL", "0s", "that is no time at all"),
            ("CANSTOP_BLOCKED", "never", "or \"off\""),
            ("CANSTOP_HEALTH", "9000", "write for example \"127.0.0.1:9000\", or \"off\""),
            ("CANSTOP_HEALTH", "on", "write for example \"127.0.0.1:9000\", or \"off\""),
            ("CANSTOP_STATUS", "yes", "write one of \"on\", \"off\""),
            ("CANSTOP_METRICS", "1", "write one of \"on\", \"off\""),
            ("CANSTOP_NOTIFY", "no", "write one of \"on\", \"off\""),
            ("CANSTOP_LOG", "trace", "write one of \"off\", \"error\", \"warn\", \"info\", \"debug\""),
            ("CANSTOP_PLATFORM", "k8s", "write one of \"none\", \"kubernetes\", \"ecs\", \"nomad\", \"fly\""),
        ] {
            let fault = decide(&InCode::default(), &[(variable, value)]).unwrap_err().to_string();
            assert!(fault.starts_with(&format!("{variable} is \"{value}\": ")), "{fault}");
            assert!(fault.contains(why), "{fault}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf_8_is_named() {
        use std::os::unix::ffi::OsStringExt as _;
        let variable = |name: &str| (name == GRACE_VARIABLE).then(|| OsString::from_vec(vec![b'5', 0xff]));
        let world = World { variable: &variable, exists: &|_: &Path| false };
        let fault = Resolved::decide(&InCode::default(), &world).unwrap_err().to_string();
        assert!(fault.starts_with("CANSTOP_GRACE is \"5\u{fffd}\": it is not UTF-8"), "{fault}");
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let resolved = decide(&in_code(Some(3_000), None), &[(GRACE_VARIABLE, ""), ("CANSTOP_HEALTH", "")]).unwrap();
        assert_eq!(resolved.grace, Setting { value: ms(3_000), source: SettingSource::Code });
    }

    #[test]
    fn off_turns_health_and_blocked_threads_off_whatever_code_says() {
        let code = InCode { health: Some("127.0.0.1:9000".to_owned()), ..InCode::default() };
        assert_eq!(decide(&code, &[]).unwrap().health, Some(([127, 0, 0, 1], 9_000).into()));
        assert_eq!(decide(&code, &[("CANSTOP_HEALTH", "[::1]:80")]).unwrap().health, "[::1]:80".parse().ok());
        assert_eq!(decide(&code, &[("CANSTOP_HEALTH", "off")]).unwrap().health, None);
        assert_eq!(decide(&code, &[]).unwrap().blocked, Some(ms(1_000)));
        assert_eq!(decide(&code, &[("CANSTOP_BLOCKED", "off")]).unwrap().blocked, None);
    }

    #[test]
    fn a_bad_address_in_code_is_named() {
        let code = InCode { health: Some("here".to_owned()), ..InCode::default() };
        let fault = decide(&code, &[]).unwrap_err().to_string();
        assert!(fault.starts_with("the health address is \"here\": it is not an IP address"), "{fault}");
    }

    #[test]
    fn configured_durations_read_as_they_were_written() {
        for (milliseconds, text) in [(25_000, "25 s"), (4_500, "4.5 s"), (250, "250 ms"), (0, "0 ns")] {
            assert_eq!(Plain(ms(milliseconds)).to_string(), text);
        }
        assert_eq!(Plain(Duration::from_micros(500)).to_string(), "500 µs");
    }
}
