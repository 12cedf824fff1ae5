//! How reports and metrics name a request.

use std::fmt;
#[cfg(feature = "axum")]
use std::sync::Arc;

use hyper::{Method, Uri};
use tokio::sync::oneshot;

/// Longer paths are cut.
const PATH: usize = 120;

pub(super) enum RequestName {
    Path(Method, Uri),
    #[cfg(feature = "axum")]
    Route(Method, Arc<str>),
    /// The connection has left HTTP by this request.
    Upgraded(Box<Upgraded>),
}

/// The request by which a connection left HTTP.
pub(super) struct Upgraded {
    /// A text of its own: a path shares the buffer that it was read into.
    name: String,
    route: Option<String>,
    /// Dropped when the connection is closed.
    pub(super) open: Option<oneshot::Sender<()>>,
}

impl RequestName {
    pub(super) fn upgraded(&self) -> Self {
        Self::Upgraded(Box::new(Upgraded { name: self.to_string(), route: self.route(), open: None }))
    }

    /// The method and the template of a known route.
    pub(super) fn route(&self) -> Option<String> {
        match self {
            Self::Path(..) => None,
            #[cfg(feature = "axum")]
            Self::Route(method, route) => {
                const STANDARD: [Method; 9] = [
                    Method::GET,
                    Method::HEAD,
                    Method::POST,
                    Method::PUT,
                    Method::PATCH,
                    Method::DELETE,
                    Method::OPTIONS,
                    Method::CONNECT,
                    Method::TRACE,
                ];
                let method = if STANDARD.contains(method) { method.as_str() } else { "other" };
                Some(format!("{method} {route}"))
            }
            Self::Upgraded(upgraded) => upgraded.route.clone(),
        }
    }
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(method, uri) => {
                let path = uri.path();
                match path.char_indices().nth(PATH) {
                    Some((end, _)) => write!(f, "{method} {}..", &path[..end]),
                    None => write!(f, "{method} {path}"),
                }
            }
            #[cfg(feature = "axum")]
            Self::Route(method, route) => write!(f, "{method} {route}"),
            Self::Upgraded(upgraded) => f.write_str(&upgraded.name),
        }
    }
}
