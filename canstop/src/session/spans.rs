//! Spans that carry the service and the session, for every line that user code logs (feature `spans`).
//!
//! They are a feature of the crate, not a setting, because a session that has none must not pay for the question.

use super::scope::Scope;
use super::site::Site;
use crate::machine::RunId;

#[cfg(not(feature = "spans"))]
pub(super) use off::{in_blocking_span, in_session_span};
#[cfg(not(feature = "spans"))]
pub(crate) use off::{in_current_span, in_service_span};
#[cfg(feature = "spans")]
pub(super) use on::{in_blocking_span, in_session_span};
#[cfg(feature = "spans")]
pub(crate) use on::{in_current_span, in_service_span};

#[cfg(feature = "spans")]
mod on {
    use tracing::instrument::{Instrument as _, Instrumented};
    use tracing::{Span, info_span};

    use super::{RunId, Scope, Site};
    use crate::machine::Owner;

    /// A future in a span.
    pub(crate) type InSpan<F> = Instrumented<F>;

    fn span_of(site: &'static Site, scope: &'static Scope) -> Span {
        let (home, location) = (scope.home(), site.location());
        let service = (home.owner != Owner::Root).then(|| home.name());
        info_span!(target: "canstop", "session", service, name = site.name, site = %location)
    }

    pub(in crate::session) fn in_session_span<F>(site: &'static Site, scope: &'static Scope, future: F) -> InSpan<F> {
        future.instrument(span_of(site, scope))
    }

    pub(in crate::session) fn in_blocking_span<T>(
        site: &'static Site,
        scope: &'static Scope,
        closure: impl FnOnce() -> T,
    ) -> impl FnOnce() -> T {
        let span = span_of(site, scope);
        move || span.in_scope(closure)
    }

    pub(crate) fn in_service_span<F>(scope: &'static Scope, run: RunId, future: F) -> InSpan<F> {
        future.instrument(info_span!(target: "canstop", "service", name = scope.name(), run = run.0))
    }

    pub(crate) fn in_current_span<T>(closure: impl FnOnce() -> T) -> impl FnOnce() -> T {
        let span = Span::current();
        move || span.in_scope(closure)
    }
}

#[cfg(not(feature = "spans"))]
mod off {
    use super::{RunId, Scope, Site};

    pub(crate) type InSpan<F> = F;

    #[inline(always)]
    pub(in crate::session) fn in_session_span<F>(_: &'static Site, _: &'static Scope, future: F) -> InSpan<F> {
        future
    }

    #[inline(always)]
    pub(in crate::session) fn in_blocking_span<T>(
        _: &'static Site,
        _: &'static Scope,
        closure: impl FnOnce() -> T,
    ) -> impl FnOnce() -> T {
        closure
    }

    pub(crate) fn in_service_span<F>(_: &'static Scope, _: RunId, future: F) -> InSpan<F> {
        future
    }

    pub(crate) fn in_current_span<T>(closure: impl FnOnce() -> T) -> impl FnOnce() -> T {
        closure
    }
}

#[cfg(feature = "spans")]
#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tokio::runtime::Builder;
    use tracing::subscriber::with_default;

    use super::super::output::NotAResult;
    use super::super::spawn::Session;
    use super::super::tests::{SITE, service};
    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged by this closure, which runs in a service's scope on a runtime.
    fn logged(run: impl FnOnce(&'static Scope, &tokio::runtime::Runtime)) -> String {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let runtime = Builder::new_current_thread().build().unwrap();
        with_default(subscriber, || {
            let scope = service();
            let _runtime = runtime.enter();
            let _scope = scope.enter();
            run(scope, &runtime);
        });
        String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_line_of_a_session_carries_its_service_and_place() {
        let line = logged(|_, runtime| {
            let session = Session::at(&SITE).spawn(async { tracing::info!("hello") }, |_| NotAResult);
            runtime.block_on(session).unwrap();
        });
        assert!(line.contains(r#"session{service="service" site=tests.rs:1}: "#), "{line}");
        assert!(line.ends_with(": hello\n"), "{line}");
    }

    #[test]
    fn a_line_of_a_blocking_session_carries_them_too() {
        let line = logged(|scope, _| in_blocking_span(&SITE, scope, || tracing::info!("hello"))());
        assert!(line.contains(r#"session{service="service" site=tests.rs:1}: "#), "{line}");
    }

    #[test]
    fn a_line_of_a_service_carries_its_run() {
        let line = logged(|scope, runtime| {
            let body = in_service_span(scope, RunId(3), async {
                tracing::info!("hello");
                in_current_span(|| tracing::info!("from its thread"))();
            });
            runtime.block_on(body);
        });
        assert_eq!(line.matches(r#"service{name="service" run=3}: "#).count(), 2, "{line}");
    }
}
