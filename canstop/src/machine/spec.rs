//! What the machine knows of a service before it starts.

use std::any::TypeId;
use std::fmt;
use std::time::Duration;

use super::id::{RunId, ServiceId};
use super::location::Location;
use super::restart::RestartPolicy;

/// When a service counts as ready, so that those after it may start.
///
/// ```
/// use canstop::{Lifecycle, Ready, Service};
///
/// async fn serve(lifecycle: Lifecycle) {
///     lifecycle.ready();
///     lifecycle.stopping().await;
/// }
///
/// // The attribute sees a call of `ready()` in the body itself; here it is in another function.
/// let server = Service::new("server", serve).ready(Ready::Notify);
/// # drop(server);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ready {
    /// When it says [`lifecycle.ready()`](crate::Lifecycle::ready).
    Notify,
    /// As soon as it was started.
    #[default]
    Started,
}

/// What a failure before a service was ever ready means. It concerns services with
/// [`Ready::Notify`] that are not `optional`.
///
/// ```
/// use canstop::{Lifecycle, Ready, Service, Start};
///
/// let feed = Service::new("feed", |lifecycle: Lifecycle| async move {
///     let connection = tokio::net::TcpStream::connect("feed.example:7000").await?;
///     lifecycle.ready();
///     lifecycle.stopping().await;
///     drop(connection);
///     std::io::Result::Ok(())
/// });
/// // The other machine may be away when the program starts.
/// let feed = feed.ready(Ready::Notify).start(Start::Retry);
/// # drop(feed);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// It fails the start of the program at once.
    #[default]
    Fail,
    /// It is retried, as any failure is, within the start timeout and the restart limit.
    Retry,
}

/// What a service's `after` or `bound_to` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// The service function itself, and its path for people.
    Function { identity: TypeId, path: &'static str },
    /// A service's name.
    Name(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Function { path, .. } => f.write_str(path),
            Reference::Name(name) => f.write_str(name),
        }
    }
}

/// The run of a service that started another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) id: ServiceId,
    pub(crate) run: RunId,
}

/// Everything the machine needs to know about a service.
#[derive(Clone, Debug)]
pub(crate) struct ServiceSpec {
    /// Its whole path: a child's begins with its parent's.
    pub(crate) name: String,
    pub(crate) location: Location,
    /// The function that made it, where it is known.
    pub(crate) identity: Option<TypeId>,
    /// Whose child it is; it ends with that run.
    pub(crate) parent: Option<Parent>,
    pub(crate) after: Vec<Reference>,
    pub(crate) bound_to: Vec<Reference>,
    pub(crate) restart: RestartPolicy,
    /// Can it be started a second time?
    pub(crate) restartable: bool,
    pub(crate) ready: Ready,
    pub(crate) start: Start,
    pub(crate) start_timeout: Duration,
    pub(crate) grace: Option<Duration>,
    pub(crate) optional: bool,
    pub(crate) cancel: bool,
}

impl ServiceSpec {
    pub(crate) fn new(name: impl Into<String>, location: Location) -> Self {
        Self {
            name: name.into(),
            location,
            identity: None,
            parent: None,
            after: Vec::new(),
            bound_to: Vec::new(),
            restart: RestartPolicy::default(),
            restartable: true,
            ready: Ready::default(),
            start: Start::default(),
            start_timeout: Duration::from_secs(30),
            grace: None,
            optional: false,
            cancel: false,
        }
    }

    /// What its siblings call it: its path's last part.
    pub(crate) fn short_name(&self) -> &str {
        match self.parent {
            Some(_) => self.name.rsplit_once('/').map_or(&self.name, |(_, own)| own),
            None => &self.name,
        }
    }
}

impl fmt::Display for ServiceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.name, self.location)
    }
}
