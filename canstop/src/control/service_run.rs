//! One run of a service, and the state that is left after the last one. Both report their end however it comes.

use std::sync::{Arc, Mutex, PoisonError};

use crate::machine::{ExitReason, Input, RunId, ServiceId};
use crate::session::{Body, Factory, Scope, in_service_span, reason_of_dropped};

/// One run, from the factory to its end, which is always reported: also of one that is dropped before it was
/// ever polled.
pub(super) struct Run {
    end: End,
    factory: Arc<Mutex<Factory>>,
}

impl Run {
    pub(super) fn new(scope: &'static Scope, id: ServiceId, run: RunId, factory: Arc<Mutex<Factory>>) -> Self {
        Self { end: End { scope, id, run, reason: None }, factory }
    }

    pub(super) async fn execute(self) {
        let Self { mut end, factory } = self;
        let (scope, id) = (end.scope, end.run);
        // The factory runs the user's code too: it clones the state.
        let body = scope.body();
        let make = || (factory.lock().unwrap_or_else(PoisonError::into_inner))(id);
        let reason = match body.run(make) {
            Ok(run) => match Body::new(body, in_service_span(scope, id, run)).await {
                Ok(reason) => reason,
                Err(panic) => panic,
            },
            Err(panic) => panic,
        };
        end.reason = Some(reason);
    }

    /// It cannot begin.
    pub(super) fn fail(mut self, error: String) {
        self.end.reason = Some(ExitReason::Failed(error));
    }
}

/// Reports the end of a run when it is dropped, however that comes about.
struct End {
    scope: &'static Scope,
    id: ServiceId,
    run: RunId,
    reason: Option<ExitReason>,
}

impl Drop for End {
    fn drop(&mut self) {
        let reason = self.reason.take().unwrap_or_else(reason_of_dropped);
        self.scope.hub.event(Input::ServiceEnded { id: self.id, run: self.run, reason });
    }
}

/// The state of a service that has run for the last time. Its end is reported, however it comes about: also
/// when the data plane shuts down before it gets to this task.
pub(super) struct DroppedState {
    scope: &'static Scope,
    id: ServiceId,
    run: RunId,
    factory: Option<Arc<Mutex<Factory>>>,
    panic: Option<String>,
}

impl DroppedState {
    pub(super) fn new(scope: &'static Scope, id: ServiceId, run: RunId, factory: Arc<Mutex<Factory>>) -> Self {
        Self { scope, id, run, factory: Some(factory), panic: None }
    }

    pub(super) fn drop_now(&mut self) {
        if let Some(factory) = self.factory.take()
            && let Err(panic) = self.scope.body().run(|| drop(factory))
        {
            self.panic = panic.error().map(str::to_owned);
        }
    }
}

impl Drop for DroppedState {
    fn drop(&mut self) {
        self.drop_now();
        let panic = self.panic.take();
        self.scope.hub.event(Input::StateDropped { id: self.id, run: self.run, panic });
    }
}
