//! Hooks that run when everything has stopped, while the data plane is still there.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::time::Instant;

use super::supervisor::Supervisor;
use crate::failure::catch;
use crate::machine::{Activity, Input, Straggler, StragglerKind};

type Hook = Box<dyn FnOnce() + Send>;

/// The hooks of one supervisor.
#[derive(Default)]
pub(super) struct FlushHooks(Mutex<Hooks>);

#[derive(Default)]
struct Hooks {
    waiting: Vec<(String, Hook)>,
    /// Those that run, and since when.
    running: Vec<(u64, String, Instant)>,
}

impl FlushHooks {
    fn lock(&self) -> MutexGuard<'_, Hooks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FlushHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlushHooks").finish_non_exhaustive()
    }
}

impl Supervisor {
    pub(crate) fn add_flush_hook(&self, name: String, hook: Hook) {
        self.flush_hooks().lock().waiting.push((name, hook));
        self.event(Input::FlushHookAdded);
    }

    /// Runs every hook, each on a thread of its own that may use the data plane. Reports the end of each.
    pub(crate) fn run_flush_hooks(&'static self) {
        let hooks = std::mem::take(&mut self.flush_hooks().lock().waiting);
        for (number, (name, hook)) in (0..).zip(hooks) {
            self.flush_hooks().lock().running.push((number, name.clone(), Instant::now()));
            let run = {
                let name = name.clone();
                move || {
                    let _scope = self.root().enter();
                    let data_plane = self.data_plane();
                    let _runtime = data_plane.as_ref().map(|data_plane| data_plane.enter());
                    let panic = catch(hook).err();
                    self.flush_ended(number, name, panic);
                }
            };
            if let Err(error) = thread::Builder::new().name("canstop-flush".to_owned()).spawn(run) {
                self.flush_ended(number, name, Some(format!("it has no thread to run on: {error}")));
            }
        }
    }

    fn flush_ended(&self, number: u64, name: String, panic: Option<String>) {
        self.flush_hooks().lock().running.retain(|(running, ..)| *running != number);
        self.event(Input::Flushed { name, panic });
    }

    /// Those that have not ended.
    pub(crate) fn unfinished_flushes(&self) -> Vec<Straggler> {
        let straggler = |(_, name, began): &(u64, String, Instant)| Straggler {
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
        self.flush_hooks().lock().running.iter().map(straggler).collect()
    }
}
