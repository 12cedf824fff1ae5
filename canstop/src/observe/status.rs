//! The tree of services and sessions at one moment.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::machine::{Location, Owner, ServiceId, ServiceOutcome, ServiceState};
use crate::report::Rounded;
use crate::session::{Scope, ServiceRecord, ServiceSnapshot, Supervisor, Watch, expect_scope, snapshot_sessions};

/// The state of every service, and of every site with live sessions, at this moment.
///
/// It needs neither a worker nor the control plane, so it works while all of them are blocked. It reads the state
/// of each thread and each waiting session once: call it now and then, not for every request.
///
/// ```
/// # async fn example() {
/// println!("{}", canstop::status());
/// # }
/// ```
///
/// ```text
/// http: ready for 3.2 s
///   12 x session at src/main.rs:31 in shop::http, oldest 0.4 s
/// writer: backing off for 80 ms, 2 restarts, last error: connection refused
///   writer/compactor: over (stopped) for 80 ms
/// 3 x session at src/main.rs:58 in shop::handle, oldest 1.1 s
/// ```
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
#[must_use]
#[track_caller]
pub fn status() -> Status {
    Status::of(expect_scope("`canstop::status`").supervisor())
}

/// The tree of services and sessions at one moment, made by [`status`]. Its `Display` shows children and sessions
/// below their service.
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
///     let import = spawn_session!("import", tokio::time::sleep(Duration::from_secs(1)));
///
///     let status = canstop::status();
///     let [database] = &status.services[..] else { panic!("{status}") };
///     assert_eq!((database.name.as_str(), database.state), ("database", ServiceState::Ready));
///     let [session] = &status.sessions[..] else { panic!("{status}") };
///     assert_eq!((session.name, session.count, &session.owner), (Some("import"), 1, &None));
///
///     import.await.unwrap();
///     assert!(canstop::status().sessions.is_empty());
///     assert!(sup.stop().await.is_clean());
/// });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Every service; children after their parents.
    pub services: Vec<ServiceStatus>,
    /// Every site with live sessions, for each service that they belong to.
    pub sessions: Vec<SessionStatus>,
}

/// The state of one service.
///
/// [`Status`] has an example.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceStatus {
    /// Its name; a child's name begins with its parent's.
    pub name: String,
    /// Where in the source it comes from, as `file:line`.
    pub location: Location,
    /// Its state.
    pub state: ServiceState,
    /// For how long it has been in this state.
    pub since: Duration,
    /// How often it was restarted.
    pub restarts: u32,
    /// Its last error or panic.
    pub last_error: Option<String>,
}

/// The live sessions of one site that one service, or the root, owns.
///
/// [`Status`] has an example.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionStatus {
    /// Their name, if they have one.
    pub name: Option<&'static str>,
    /// Where they are spawned, as `file:line`.
    pub location: Location,
    /// The function around it.
    pub function: &'static str,
    /// The service that owns them; `None` is the root.
    pub owner: Option<String>,
    /// What tells them from the others of their place: `spawn_session!(label = .., ..)`.
    pub label: Option<String>,
    /// The method and path of their request, if `canstop::http` serves it.
    pub request: Option<String>,
    /// How many there are.
    pub count: u64,
    /// The age of the oldest waiting one, to a tenth of a second.
    pub oldest: Option<Duration>,
}

impl Status {
    pub(crate) fn of(supervisor: &'static Supervisor) -> Self {
        let services = supervisor.services();
        let mut children: HashMap<_, Vec<_>> = HashMap::new();
        for (id, service) in services.iter().enumerate() {
            children.entry(service.parent).or_default().push(ServiceId(id));
        }
        let tree = tree(&children, None).into_iter();
        let status = |known: &ServiceRecord| status_of(&known.name, known.location, &known.snapshot.get());
        Self { services: tree.map(|ServiceId(id)| status(&services[id])).collect(), sessions: sessions(supervisor) }
    }
}

/// A service, its children, the next one.
fn tree(children: &HashMap<Option<ServiceId>, Vec<ServiceId>>, parent: Option<ServiceId>) -> Vec<ServiceId> {
    let of_parent = children.get(&parent).into_iter().flatten().copied();
    of_parent.flat_map(|id| std::iter::once(id).chain(tree(children, Some(id)))).collect()
}

pub(crate) fn status_of(name: &str, location: Location, snapshot: &ServiceSnapshot) -> ServiceStatus {
    ServiceStatus {
        name: name.to_owned(),
        location,
        state: snapshot.state,
        since: snapshot.since.elapsed(),
        restarts: snapshot.restarts,
        last_error: snapshot.last_error.clone(),
    }
}

fn sessions(supervisor: &'static Supervisor) -> Vec<SessionStatus> {
    let scopes = supervisor.scopes();
    let owners: Vec<_> = scopes.iter().map(|scope| scope.owner).collect();
    // Which session holds a thread is only known to a watcher that runs all the time.
    let found = snapshot_sessions(supervisor, &Watch::default(), &owners, Instant::now());
    let mut sessions: Vec<SessionStatus> = Vec::new();
    for found in found {
        let owner = Some(found.scope.home()).filter(|home| home.owner != Owner::Root).map(Scope::name);
        let location = found.site.location();
        let row = sessions.iter_mut().find(|row| {
            row.location == location
                && row.owner == owner
                && row.name == found.site.name
                && row.request == found.request
                && row.label == found.label
        });
        match row {
            Some(row) => {
                row.count += found.count;
                row.oldest = row.oldest.max(found.oldest);
            }
            None => sessions.push(SessionStatus {
                name: found.site.name,
                location,
                function: (found.site.function)(),
                owner,
                request: found.request,
                label: found.label,
                count: found.count,
                oldest: found.oldest,
            }),
        }
    }
    sessions
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for service in &self.services {
            let indent = service.name.matches('/').count() * 2;
            lines.push(format!("{:indent$}{service}", ""));
            let own = self.sessions.iter().filter(|sessions| sessions.owner.as_ref() == Some(&service.name));
            lines.extend(own.map(|sessions| format!("{:indent$}  {sessions}", "")));
        }
        let edge = self.sessions.iter().filter(|sessions| sessions.owner.is_none());
        lines.extend(edge.map(SessionStatus::to_string));
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for ServiceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} for {}", self.name, self.state, Rounded(self.since))?;
        match self.restarts {
            0 => {}
            1 => f.write_str(", 1 restart")?,
            restarts => write!(f, ", {restarts} restarts")?,
        }
        match &self.last_error {
            Some(error) => write!(f, ", last error: {error}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for SessionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(request) = &self.request {
            write!(f, "{} x {request}", self.count)?;
        } else {
            write!(f, "{} x session", self.count)?;
            if let Some(name) = self.name {
                write!(f, " `{name}`")?;
            }
            if let Some(label) = &self.label {
                write!(f, " [{label}]")?;
            }
            write!(f, " at {} in {}", self.location, self.function)?;
        }
        match self.oldest {
            Some(age) => write!(f, ", oldest {}", Rounded(age)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServiceState::Waiting => f.write_str("waiting"),
            ServiceState::Starting => f.write_str("starting"),
            ServiceState::Ready => f.write_str("ready"),
            ServiceState::BackingOff => f.write_str("backing off"),
            ServiceState::Stopping => f.write_str("stopping"),
            ServiceState::Over(outcome) => write!(f, "over ({outcome})"),
        }
    }
}

impl fmt::Display for ServiceOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ServiceOutcome::Done => "done",
            ServiceOutcome::Stopped => "stopped",
            ServiceOutcome::Failed => "failed",
            ServiceOutcome::Lost => "lost",
            ServiceOutcome::Abandoned => "abandoned",
            ServiceOutcome::NeverStarted => "never started",
            ServiceOutcome::Refused => "refused",
        })
    }
}
