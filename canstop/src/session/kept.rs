//! Values that are dropped after the last line.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::supervisor::Supervisor;
use crate::failure::catch;
use crate::machine::Input;

/// What `canstop::keep` was given, in this order.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Vec<Box<dyn Any + Send>>>);

/// What came of dropping kept values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct KeptDropped {
    /// They were dropped in time.
    pub(crate) in_time: bool,
    /// What their destructors panicked with.
    pub(crate) panics: Vec<String>,
}

impl Supervisor {
    pub(crate) fn keep(&self, value: Box<dyn Any + Send>) {
        self.kept().0.lock().unwrap_or_else(PoisonError::into_inner).push(value);
        self.event(Input::Kept);
    }

    /// Drops what was kept, the last first, on a thread of its own: destructors may hang. Waits at most
    /// `limit`.
    pub(crate) fn drop_kept(&self, limit: Duration) -> KeptDropped {
        let values = std::mem::take(&mut *self.kept().0.lock().unwrap_or_else(PoisonError::into_inner));
        if values.is_empty() {
            return KeptDropped { in_time: true, panics: Vec::new() };
        }
        let (dropped, panics) = mpsc::channel();
        // Without a thread they are leaked: they must not be dropped on this one.
        let values = ManuallyDrop::new(values);
        let drop_all = move || {
            let values = ManuallyDrop::into_inner(values).into_iter().rev();
            let _ = dropped.send(values.filter_map(|value| catch(|| drop(value)).err()).collect());
        };
        match thread::Builder::new().name("canstop-keep".to_owned()).spawn(drop_all) {
            Ok(_) => match panics.recv_timeout(limit) {
                Ok(panics) => KeptDropped { in_time: true, panics },
                Err(_) => KeptDropped::default(),
            },
            Err(_) => KeptDropped::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tells(&'static str, mpsc::Sender<&'static str>);

    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
            assert_ne!(self.0, "panics", "a destructor panics");
        }
    }

    struct Hangs(mpsc::Receiver<()>);

    impl Drop for Hangs {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }

    #[test]
    fn values_are_dropped_in_reverse_and_past_a_panic() {
        let (supervisor, _inbox) = Supervisor::new();
        let (told, order) = mpsc::channel();
        for name in ["first", "panics", "last"] {
            supervisor.keep(Box::new(Tells(name, told.clone())));
        }
        let dropped = supervisor.drop_kept(Duration::from_secs(60));
        assert!(dropped.in_time && matches!(&*dropped.panics, [panic] if panic.contains("a destructor panics")));
        assert_eq!(order.try_iter().collect::<Vec<_>>(), ["last", "panics", "first"]);
    }

    #[test]
    fn a_destructor_that_hangs_is_not_waited_for() {
        let (supervisor, _inbox) = Supervisor::new();
        let (let_go, hangs) = mpsc::channel();
        supervisor.keep(Box::new(Hangs(hangs)));
        assert!(!supervisor.drop_kept(Duration::ZERO).in_time);
        drop(let_go);
    }
}
