//! Values that are dropped after the last line.

use std::any::Any;
use std::mem::{self, ManuallyDrop};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use crate::failure::catch;

/// The values of `canstop::keep`, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Vec<Box<dyn Any + Send>>>);

/// The result of dropping kept values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct KeptDropped {
    /// They were dropped in time.
    pub(crate) in_time: bool,
    /// The panics of their destructors.
    pub(crate) panics: Vec<String>,
}

impl Kept {
    pub(super) fn push(&self, value: Box<dyn Any + Send>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }

    /// Drops the values, the last first, on a thread of its own, because a destructor may hang. Waits at most
    /// `limit`.
    pub(super) fn drop_all(&self, limit: Duration) -> KeptDropped {
        let values = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if values.is_empty() {
            return KeptDropped { in_time: true, panics: Vec::new() };
        }
        let (dropped, panics) = mpsc::channel();
        // If no thread can be started, they are leaked: they must not be dropped on this one.
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

    struct SendsName(&'static str, mpsc::Sender<&'static str>);

    impl Drop for SendsName {
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
        let kept = Kept::default();
        let (dropped, order) = mpsc::channel();
        for name in ["first", "panics", "last"] {
            kept.push(Box::new(SendsName(name, dropped.clone())));
        }
        let dropped = kept.drop_all(Duration::from_secs(60));
        assert!(dropped.in_time && matches!(&*dropped.panics, [panic] if panic.contains("a destructor panics")));
        assert_eq!(order.try_iter().collect::<Vec<_>>(), ["last", "panics", "first"]);
    }

    #[test]
    fn a_destructor_that_hangs_is_not_waited_for() {
        let kept = Kept::default();
        let (release, hangs) = mpsc::channel();
        kept.push(Box::new(Hangs(hangs)));
        assert!(!kept.drop_all(Duration::ZERO).in_time);
        drop(release);
    }
}
