//! How reports and metrics name a request.

use std::fmt;

use hyper::{Method, Uri};
use tokio::sync::oneshot;

/// Longer paths are cut, in bytes.
const PATH: usize = 120;

/// The name of a connection's request. The next request takes over its buffers: a path in a buffer of the request's
/// own would keep the large one that it was read into.
#[derive(Default)]
pub(super) struct RequestName {
    method: Method,
    path: String,
    /// The path was cut.
    is_cut: bool,
    /// The template of the route; empty while it is not known.
    route: String,
    /// The connection has left HTTP by this request, and is open.
    is_upgraded: bool,
    /// Dropped when the upgraded connection is closed.
    open: Option<oneshot::Sender<()>>,
}

impl RequestName {
    /// Names the next request by its path.
    pub(super) fn begin(&mut self, method: &Method, uri: &Uri) {
        let path = uri.path();
        let end = (0..=path.len().min(PATH)).rev().find(|&end| path.is_char_boundary(end)).unwrap_or(0);
        let kept = &path[..end];
        self.method = method.clone();
        self.is_cut = kept.len() < path.len();
        self.path.clear();
        self.path.push_str(kept);
        self.route.clear();
    }

    /// Names the request by the template of its route.
    #[cfg(feature = "axum")]
    pub(super) fn set_route(&mut self, route: &str) {
        self.route.clear();
        self.route.push_str(route);
    }

    pub(super) fn upgrade(&mut self) {
        self.is_upgraded = true;
    }

    /// Completes when the upgraded connection is closed; `None` if it is not upgraded, or closed already.
    pub(super) fn closed(&mut self) -> Option<oneshot::Receiver<()>> {
        let (open, closed) = oneshot::channel();
        self.open = self.is_upgraded.then_some(open);
        self.is_upgraded.then_some(closed)
    }

    /// The upgraded connection is closed. Dropping the sender wakes the task that waits for it.
    pub(super) fn close(&mut self) -> Option<oneshot::Sender<()>> {
        self.is_upgraded = false;
        self.open.take()
    }

    /// The method and the template of a known route.
    pub(super) fn route(&self) -> Option<String> {
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
        if self.route.is_empty() {
            return None;
        }
        let method = if STANDARD.contains(&self.method) { self.method.as_str() } else { "other" };
        Some(format!("{method} {}", self.route))
    }
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, is_cut, route, .. } = self;
        match (route.as_str(), is_cut) {
            ("", true) => write!(f, "{method} {path}.."),
            ("", false) => write!(f, "{method} {path}"),
            (route, _) => write!(f, "{method} {route}"),
        }
    }
}
