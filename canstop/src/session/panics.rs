//! Where a panic happened: only the panic hook is told.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

use crate::machine::ExitReason;

thread_local! {
    /// The last panic of this thread, as a person would want to read it.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes note of every panic's place, and then does what was done before.
///
/// A program that sets a hook of its own later should call the one it replaces, as is the custom;
/// if it does not, panics are reported without their place.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            note(info);
            previous(info);
        }));
    });
}

fn note(info: &PanicHookInfo<'_>) {
    let mut text = payload_text(info.payload()).to_owned();
    if let Some(place) = info.location() {
        text.push_str(&format!(" (at {}:{}:{})", place.file(), place.line(), place.column()));
    }
    // A panic in a destructor of this very thread-local is not worth another one.
    let _ = LAST.try_with(|last| last.replace(Some(text)));
}

/// What this thread's last panic said, and where it was.
pub(crate) fn last_panic() -> String {
    LAST.try_with(|last| last.borrow_mut().take())
        .ok()
        .flatten()
        .unwrap_or_else(|| "a panic of unknown place".to_owned())
}

/// What a caught panic said: as the hook noted it, or by its payload.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let noted = LAST.try_with(|last| last.borrow_mut().take()).ok().flatten();
    noted.unwrap_or_else(|| payload_text(payload).to_owned())
}

/// How something ended that was dropped before it returned: by a panic of its own destructors, or
/// quietly.
pub(crate) fn reason_of_dropped() -> ExitReason {
    if std::thread::panicking() { ExitReason::Panicked(last_panic()) } else { ExitReason::Dropped }
}

fn payload_text(payload: &dyn Any) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a panic without words"
    }
}
