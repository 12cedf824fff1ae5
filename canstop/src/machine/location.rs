//! A place in the user's source.

use std::fmt;

/// A place in the source: where a service is declared, or where a session is spawned.
///
/// Shown as text it is `file:line`, as the compiler writes it.
///
/// ```
/// use canstop::testing::Harness;
/// use canstop::{Event, Lifecycle};
///
/// #[canstop::service]
/// async fn database(lifecycle: Lifecycle) {
///     lifecycle.stopping().await;
/// }
///
/// Harness::new().run(async |mut sup| {
///     sup.start(database());
///     sup.wait_for(|event| matches!(event, Event::ServiceReady { .. })).await;
///     let location = sup.status().services[0].location;
///     assert_eq!(location.to_string(), format!("{}:{}", location.file, location.line));
///     assert!(sup.stop().await.is_clean());
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Location {
    /// The file, as `file!()` gives it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
