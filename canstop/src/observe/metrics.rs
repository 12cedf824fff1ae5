//! The program's numbers at one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use super::status::Status;
use super::words::{STATES, word_of_state};
use crate::machine::{Location, Phase, ServiceState};
use crate::session::{Supervisor, expect_scope, requests_by_route};

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
    Metrics::of(expect_scope("`canstop::metrics`").supervisor())
}

/// The program's numbers at one moment, made by [`metrics()`].
///
/// ```
/// use std::time::Duration;
///
/// use canstop::testing::Harness;
/// use canstop::{Event, Service, ServiceState, spawn_session};
///
/// Harness::new().run(async |mut sup| {
///     sup.start(Service::new("database", |lifecycle| async move { lifecycle.stopping().await }));
///     sup.wait_for(|event| matches!(event, Event::ServiceReady { .. })).await;
///     let import = spawn_session!(tokio::time::sleep(Duration::from_secs(1)));
///
///     let metrics = canstop::metrics();
///     assert_eq!((metrics.services[0].service.as_str(), metrics.services[0].state), ("database", ServiceState::Ready));
///     assert_eq!((metrics.sessions[0].alive, metrics.sessions_started, metrics.sessions_finished), (1, 1, 0));
///     assert!(metrics.requests.is_empty() && metrics.accept_queues.is_empty());
///     assert!(metrics.to_string().contains("canstop_sessions_started_total 1"));
///
///     import.await.unwrap();
///     assert_eq!(canstop::metrics().sessions_finished, 1);
///     assert!(sup.stop().await.is_clean());
/// });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metrics {
    /// Every service that is not a child of another one.
    pub services: Vec<ServiceMetrics>,
    /// The live sessions of each site and service.
    pub sessions: Vec<SessionMetrics>,
    /// The requests that `canstop::http` serves now, by service and route.
    pub requests: Vec<RequestMetrics>,
    /// The connections that wait to be accepted, by listener. On Linux, for TCP.
    pub accept_queues: Vec<AcceptQueueMetrics>,
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
    /// For how long the runtime may not have run new work, or a listener has accepted none of the connections that
    /// wait; up to a second in normal operation. Zero if neither probes nor a watchdog need it.
    pub stall: Duration,
    /// For how long the program has been stopping.
    pub stopping: Option<Duration>,
    /// The program's phase, in a word.
    pub phase: &'static str,
}

/// One service's numbers, and its children's.
///
/// [`Metrics`] has an example.
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
///
/// [`Metrics`] has an example.
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

/// The requests that one service, or its children, serve on one route.
///
/// [`Metrics`] has an example.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestMetrics {
    /// The service; `None` for the root.
    pub service: Option<String>,
    /// The method and the template of the route, `GET /orders/{id}`. `None` for requests without a known route, as
    /// all of them are without the feature `axum`: their paths are the clients'.
    pub route: Option<String>,
    /// How many there are.
    pub running: u64,
}

/// The connections that wait for one listener, or for those of its name.
///
/// [`Metrics`] has an example.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AcceptQueueMetrics {
    /// The listener's name.
    pub listener: String,
    /// How many connections the kernel has completed that were not accepted yet.
    pub waiting: u64,
}

impl From<(String, u64)> for AcceptQueueMetrics {
    fn from((listener, waiting): (String, u64)) -> Self {
        Self { listener, waiting }
    }
}

/// The names and values of a sample's labels.
pub(super) type Labels = Vec<(&'static str, String)>;

/// All samples of one name.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) values: Values,
}

/// The samples of a family, by their kind.
pub(super) enum Values {
    Counter(Vec<(Labels, u64)>),
    Gauge(Vec<(Labels, f64)>),
}

impl Values {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Counter(_) => "counter",
            Self::Gauge(_) => "gauge",
        }
    }

    /// One value without labels.
    fn count(value: u64) -> Self {
        Self::Counter(vec![(Labels::new(), value)])
    }

    /// One value without labels.
    fn gauge(value: f64) -> Self {
        Self::Gauge(vec![(Labels::new(), value)])
    }

    /// A value for each of these.
    fn gauges(samples: impl IntoIterator<Item = (Labels, u64)>) -> Self {
        // Exact up to 2^53, and these are counts of what exists at one moment.
        Self::Gauge(samples.into_iter().map(|(labels, value)| (labels, value as f64)).collect())
    }

    /// 1 for the word that applies, and 0 for the others.
    fn one_of<'a>(
        words: &'a [&'a str],
        word: &'a str,
        labels: impl Fn(&str) -> Labels + 'a,
    ) -> impl Iterator<Item = (Labels, u64)> + 'a {
        words.iter().map(move |known| (labels(known), u64::from(*known == word)))
    }
}

impl Metrics {
    pub(crate) fn of(supervisor: &'static Supervisor) -> Self {
        let status = Status::of(supervisor);
        let totals = supervisor.session_totals();
        let numbers = supervisor.numbers().clone();
        Self {
            services: services(&status),
            sessions: sessions(&status),
            requests: requests(supervisor),
            accept_queues: numbers.accept_queues.into_iter().map(AcceptQueueMetrics::from).collect(),
            sessions_started: totals.started,
            sessions_finished: totals.finished,
            sessions_failed: supervisor.failed_sessions(),
            abandoned: numbers.abandoned,
            blocked_threads: numbers.blocked_threads,
            stall: numbers.stall,
            stopping: numbers.stop.map(|(requested, _)| requested.elapsed()),
            phase: numbers.phase.word(),
        }
    }

    /// Every series: what `/metrics` shows and what the `metrics` facade gets.
    pub(super) fn families(&self) -> Vec<Family> {
        let family = |name, help, values| Family { name, help, values };
        let owner = |service: &Option<String>| ("service", service.clone().unwrap_or_default());
        vec![
            family(
                "canstop_service_state",
                "1 for the state that the service is in.",
                Values::gauges(self.services.iter().flat_map(|ServiceMetrics { service, state, .. }| {
                    let labels = move |word: &str| vec![("service", service.clone()), ("state", word.to_owned())];
                    Values::one_of(&STATES, word_of_state(*state), labels)
                })),
            ),
            family(
                "canstop_service_restarts_total",
                "How often the service and its children were restarted.",
                Values::Counter(
                    self.services.iter().map(|row| (vec![("service", row.service.clone())], row.restarts)).collect(),
                ),
            ),
            family(
                "canstop_sessions",
                "Live sessions by service and place in the source.",
                Values::gauges(self.sessions.iter().map(|SessionMetrics { service, site, alive }| {
                    (vec![owner(service), ("site", site.to_string())], *alive)
                })),
            ),
            family("canstop_sessions_started_total", "Sessions spawned.", Values::count(self.sessions_started)),
            family(
                "canstop_sessions_finished_total",
                "Sessions that have ended.",
                Values::count(self.sessions_finished),
            ),
            family(
                "canstop_sessions_failed_total",
                "Sessions that returned an error or panicked.",
                Values::count(self.sessions_failed),
            ),
            family(
                "canstop_sessions_abandoned_total",
                "Services, sessions and blocking calls that did not end in time.",
                Values::count(self.abandoned),
            ),
            family(
                "canstop_requests",
                "Requests in progress by service and route.",
                Values::gauges(self.requests.iter().map(|RequestMetrics { service, route, running }| {
                    (vec![owner(service), ("route", route.clone().unwrap_or_default())], *running)
                })),
            ),
            family(
                "canstop_accept_queue",
                "Connections that wait to be accepted.",
                Values::gauges(
                    self.accept_queues.iter().map(|AcceptQueueMetrics { listener, waiting }| {
                        (vec![("listener", listener.clone())], *waiting)
                    }),
                ),
            ),
            family(
                "canstop_blocked_threads",
                "Threads that a service or session has blocked.",
                Values::gauges([(Labels::new(), self.blocked_threads)]),
            ),
            family(
                "canstop_stall_seconds",
                "How long the runtime may have run no new work, or a listener has not accepted.",
                Values::gauge(self.stall.as_secs_f64()),
            ),
            family(
                "canstop_phase",
                "1 for the phase that the program is in.",
                Values::gauges(Values::one_of(&Phase::WORDS, self.phase, |word| vec![("phase", word.to_owned())])),
            ),
            family(
                "canstop_stop_duration_seconds",
                "How long the program has been stopping.",
                Values::gauge(self.stopping.unwrap_or_default().as_secs_f64()),
            ),
        ]
    }
}

/// The outermost service of a path.
fn outermost(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

pub(super) fn services(status: &Status) -> Vec<ServiceMetrics> {
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

pub(super) fn sessions(status: &Status) -> Vec<SessionMetrics> {
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

fn requests(supervisor: &'static Supervisor) -> Vec<RequestMetrics> {
    let mut rows: BTreeMap<(Option<String>, Option<String>), u64> = BTreeMap::new();
    for (service, route) in requests_by_route(supervisor) {
        *rows.entry((service.as_deref().map(outermost).map(str::to_owned), route)).or_default() += 1;
    }
    rows.into_iter().map(|((service, route), running)| RequestMetrics { service, route, running }).collect()
}
