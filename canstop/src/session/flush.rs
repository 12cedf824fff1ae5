//! Hooks that run after everything has stopped, while the data plane still exists.

use std::fmt;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::machine::{Activity, Straggler, StragglerKind};

/// What a hook calls.
pub(super) type Flush = Box<dyn FnOnce() + Send>;

/// The hooks of one supervisor.
#[derive(Default)]
pub(super) struct FlushHooks(Mutex<Hooks>);

#[derive(Default)]
struct Hooks {
    waiting: Vec<(String, Flush)>,
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    number: u64,
    name: String,
    began: Instant,
}

impl FlushHooks {
    fn lock(&self) -> MutexGuard<'_, Hooks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, name: String, hook: Flush) {
        self.lock().waiting.push((name, hook));
    }

    /// Moves every hook to the running ones, and returns them with their numbers.
    pub(super) fn begin(&self) -> Vec<(u64, String, Flush)> {
        let mut hooks = self.lock();
        let waiting = mem::take(&mut hooks.waiting);
        let numbered = (0..).zip(waiting).map(|(number, (name, hook))| (number, name, hook)).collect::<Vec<_>>();
        let began = Instant::now();
        hooks.running.extend(numbered.iter().map(|(number, name, _)| Running {
            number: *number,
            name: name.clone(),
            began,
        }));
        numbered
    }

    pub(super) fn end(&self, number: u64) {
        self.lock().running.retain(|running| running.number != number);
    }

    /// Those that have not ended.
    pub(super) fn unfinished(&self) -> Vec<Straggler> {
        let straggler = |Running { name, began, .. }: &Running| Straggler {
            kind: StragglerKind::Flush,
            name: Some(name.clone()),
            location: None,
            function: None,
            label: None,
            owner: None,
            count: 1,
            oldest: Some(began.elapsed()),
            activity: Activity::Blocking { since: began.elapsed() },
        };
        self.lock().running.iter().map(straggler).collect()
    }
}

impl fmt::Debug for FlushHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlushHooks").finish_non_exhaustive()
    }
}
