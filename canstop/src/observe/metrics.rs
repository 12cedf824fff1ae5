//! The program's numbers at one moment.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use super::status::Status;
use crate::machine::{Location, Phase, ServiceState};
use crate::session::{Supervisor, expect_scope};

/// The program's numbers at this moment.
///
/// Its `Display` is Prometheus' text format. Labels are only names and places from the source: the children of a
/// service count as that service, so that a program which starts one for each customer has no more series than any
/// other.
///
/// ```
/// # async fn example() {
/// let metrics = canstop::metrics();
/// println!("{} of {} sessions are over", metrics.sessions_finished, metrics.sessions_started);
/// # }
/// ```
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
#[must_use]
#[track_caller]
pub fn metrics() -> Metrics {
    Metrics::of(expect_scope("`canstop::metrics`").supervisor)
}

/// The program's numbers at one moment, made by [`metrics()`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metrics {
    /// Every service that is not a child of another one.
    pub services: Vec<ServiceMetrics>,
    /// The live sessions of each site and service.
    pub sessions: Vec<SessionMetrics>,
    /// How many sessions were spawned since the program started.
    pub sessions_started: u64,
    /// How many of them have ended.
    pub sessions_finished: u64,
    /// How many returned an error or panicked.
    pub sessions_failed: u64,
    /// How many services, sessions and blocking calls were abandoned.
    pub abandoned: u64,
    /// How many threads of the runtime are held by a service or session for longer than `CANSTOP_BLOCKED`.
    pub blocked_threads: u64,
    /// For how long the runtime may not have run new work; up to a second in normal operation. Zero if neither probes
    /// nor a watchdog need it.
    pub stall: Duration,
    /// For how long the program has been stopping.
    pub stopping: Option<Duration>,
    /// The program's phase, in a word.
    pub phase: &'static str,
}

/// One service's numbers, and its children's.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceMetrics {
    /// Its name.
    pub service: String,
    /// The state of the service itself.
    pub state: ServiceState,
    /// How often it or a child of it was restarted.
    pub restarts: u64,
}

/// The live sessions of one site that one service, or its children, own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionMetrics {
    /// The service; `None` for sessions of the root.
    pub service: Option<String>,
    /// Where they are spawned.
    pub site: Location,
    /// How many there are.
    pub alive: u64,
}

/// The words of the phases, in their order.
const PHASES: [&str; 7] = ["setting_up", "running", "drain_delay", "stopping", "tearing_down", "flushing", "finished"];

pub(super) fn word_of(phase: Phase) -> &'static str {
    PHASES[match phase {
        Phase::SettingUp => 0,
        Phase::Running => 1,
        Phase::DrainDelay => 2,
        Phase::Stopping(_) => 3,
        Phase::TearingDown => 4,
        Phase::Flushing => 5,
        Phase::Finished => 6,
    }]
}

const STATES: [&str; 6] = ["waiting", "starting", "ready", "backing_off", "stopping", "over"];

pub(super) fn word_of_state(state: ServiceState) -> &'static str {
    STATES[match state {
        ServiceState::Waiting => 0,
        ServiceState::Starting => 1,
        ServiceState::Ready => 2,
        ServiceState::BackingOff => 3,
        ServiceState::Stopping => 4,
        ServiceState::Over(_) => 5,
    }]
}

impl Metrics {
    pub(crate) fn of(supervisor: &'static Supervisor) -> Self {
        let status = Status::of(supervisor);
        let totals = supervisor.session_totals();
        let numbers = supervisor.numbers().clone();
        Self {
            services: services(&status),
            sessions: sessions(&status),
            sessions_started: totals.started,
            sessions_finished: totals.finished,
            sessions_failed: supervisor.failed_sessions(),
            abandoned: numbers.abandoned,
            blocked_threads: numbers.blocked_threads,
            stall: numbers.stall,
            stopping: numbers.stop.map(|(requested, _)| requested.elapsed()),
            phase: word_of(numbers.phase),
        }
    }
}

/// The outermost service of a path.
fn outermost(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

fn services(status: &Status) -> Vec<ServiceMetrics> {
    let mut rows: Vec<ServiceMetrics> = Vec::new();
    // Children are after their parents.
    for service in &status.services {
        let name = outermost(&service.name);
        match rows.iter_mut().find(|row| row.service == name) {
            Some(row) => row.restarts += u64::from(service.restarts),
            None => rows.push(ServiceMetrics {
                service: name.to_owned(),
                state: service.state,
                restarts: u64::from(service.restarts),
            }),
        }
    }
    rows
}

fn sessions(status: &Status) -> Vec<SessionMetrics> {
    let mut rows: BTreeMap<(Option<&str>, Location), u64> = BTreeMap::new();
    for sessions in &status.sessions {
        *rows.entry((sessions.owner.as_deref().map(outermost), sessions.location)).or_default() += sessions.count;
    }
    let row = |((service, site), alive): ((Option<&str>, Location), u64)| SessionMetrics {
        service: service.map(str::to_owned),
        site,
        alive,
    };
    rows.into_iter().map(row).collect()
}

/// A label's value. The text format escapes backslashes, quotes and line breaks.
struct Label<'a>(&'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                character => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

fn family(f: &mut fmt::Formatter<'_>, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(f, "# HELP canstop_{name} {help}\n# TYPE canstop_{name} {kind}")
}

/// Prometheus' text format.
impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        family(f, "service_state", "gauge", "1 for the state that the service is in.")?;
        for ServiceMetrics { service, state, .. } in &self.services {
            for word in STATES {
                let is_in_it = u8::from(word == word_of_state(*state));
                writeln!(f, "canstop_service_state{{service=\"{}\",state=\"{word}\"}} {is_in_it}", Label(service))?;
            }
        }
        family(f, "service_restarts_total", "counter", "How often the service and its children were restarted.")?;
        for ServiceMetrics { service, restarts, .. } in &self.services {
            writeln!(f, "canstop_service_restarts_total{{service=\"{}\"}} {restarts}", Label(service))?;
        }
        family(f, "sessions", "gauge", "Live sessions by service and place in the source.")?;
        for SessionMetrics { service, site, alive } in &self.sessions {
            let service = service.as_deref().unwrap_or_default();
            let site = site.to_string();
            writeln!(f, "canstop_sessions{{service=\"{}\",site=\"{}\"}} {alive}", Label(service), Label(&site))?;
        }
        for (name, value, help) in [
            ("sessions_started_total", self.sessions_started, "Sessions spawned."),
            ("sessions_finished_total", self.sessions_finished, "Sessions that are over."),
            ("sessions_failed_total", self.sessions_failed, "Sessions that returned an error or panicked."),
            ("sessions_abandoned_total", self.abandoned, "What did not end in its time."),
        ] {
            family(f, name, "counter", help)?;
            writeln!(f, "canstop_{name} {value}")?;
        }
        family(f, "blocked_threads", "gauge", "Threads that a service or session has blocked.")?;
        writeln!(f, "canstop_blocked_threads {}", self.blocked_threads)?;
        family(f, "stall_seconds", "gauge", "For how long the runtime may have taken up no work.")?;
        writeln!(f, "canstop_stall_seconds {}", self.stall.as_secs_f64())?;
        family(f, "phase", "gauge", "1 for what the program does.")?;
        for word in PHASES {
            writeln!(f, "canstop_phase{{phase=\"{word}\"}} {}", u8::from(word == self.phase))?;
        }
        family(f, "stop_duration_seconds", "gauge", "For how long the program has been stopping.")?;
        writeln!(f, "canstop_stop_duration_seconds {}", self.stopping.unwrap_or_default().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::observe::{ServiceStatus, SessionStatus};

    const HERE: Location = Location { file: "src/main.rs", line: 3 };

    fn service(name: &str, state: ServiceState, restarts: u32) -> ServiceStatus {
        let name = name.to_owned();
        ServiceStatus { name, location: HERE, state, since: Duration::ZERO, restarts, last_error: None }
    }

    fn session(owner: Option<&str>, count: u64) -> SessionStatus {
        let owner = owner.map(str::to_owned);
        SessionStatus {
            name: None,
            location: HERE,
            function: "f",
            owner,
            count,
            oldest: None,
            request: None,
            label: None,
        }
    }

    fn metrics(status: &Status) -> Metrics {
        Metrics {
            services: services(status),
            sessions: sessions(status),
            sessions_started: 9,
            sessions_finished: 6,
            sessions_failed: 1,
            abandoned: 0,
            blocked_threads: 2,
            stall: Duration::from_millis(250),
            stopping: None,
            phase: "running",
        }
    }

    /// Parses the text format strictly: families with help and type before their samples, each sample once.
    fn parse(text: &str) -> BTreeMap<String, f64> {
        let mut samples = BTreeMap::new();
        let mut typed = BTreeSet::new();
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.split(' ');
                let (kind, name) = (words.next().unwrap(), words.next().unwrap());
                match kind {
                    "HELP" => assert!(words.next().is_some(), "{line}"),
                    "TYPE" => {
                        let kind = words.next().unwrap();
                        assert!(["gauge", "counter"].contains(&kind), "{line}");
                        assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                        assert!(typed.insert(name.to_owned()), "{line} comes twice");
                    }
                    other => panic!("{other}"),
                }
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            assert!(typed.contains(name), "{line} has no type");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
            let mut rest = labels.strip_suffix('}').unwrap();
            while !rest.is_empty() {
                let (label, after) = rest.split_once("=\"").unwrap();
                assert!(label.chars().all(|c| c.is_ascii_lowercase()), "{line}");
                let end = {
                    let mut escaped = false;
                    after.char_indices().find(|&(_, c)| {
                        let ends = c == '"' && !escaped;
                        escaped = c == '\\' && !escaped;
                        ends
                    })
                };
                rest = after[end.unwrap().0 + 1..].trim_start_matches(',');
            }
            assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{line} comes twice");
        }
        samples
    }

    #[test]
    fn the_text_is_in_prometheus_format() {
        let services = vec![service("ht\"t\\p\n", ServiceState::Ready, 2)];
        let samples = parse(&metrics(&Status { services, sessions: vec![session(None, 3)] }).to_string());
        assert_eq!(samples[r#"canstop_service_state{service="ht\"t\\p\n",state="ready"}"#], 1.0);
        assert_eq!(samples[r#"canstop_service_state{service="ht\"t\\p\n",state="over"}"#], 0.0);
        assert_eq!(samples[r#"canstop_service_restarts_total{service="ht\"t\\p\n"}"#], 2.0);
        assert_eq!(samples[r#"canstop_sessions{service="",site="src/main.rs:3"}"#], 3.0);
        assert_eq!(samples["canstop_sessions_started_total"], 9.0);
        assert_eq!(samples["canstop_stall_seconds"], 0.25);
        assert_eq!(samples[r#"canstop_phase{phase="running"}"#], 1.0);
    }

    #[test]
    fn ten_thousand_children_add_no_series() {
        let mut status = Status { services: vec![service("tenants", ServiceState::Ready, 0)], sessions: Vec::new() };
        let before = parse(&metrics(&status).to_string()).len();
        for child in 0..10_000 {
            let name = format!("tenants/{child}");
            status.sessions.push(session(Some(&name), 1));
            status.services.push(service(&name, ServiceState::BackingOff, 1));
        }
        let samples = parse(&metrics(&status).to_string());
        assert_eq!(samples.len(), before + 1, "their one site");
        assert_eq!(samples[r#"canstop_service_restarts_total{service="tenants"}"#], 10_000.0);
        assert_eq!(samples[r#"canstop_sessions{service="tenants",site="src/main.rs:3"}"#], 10_000.0);
    }
}
