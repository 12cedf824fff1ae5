//! The message of a panic, and its place.
//!
//! The message is in the payload. Only the panic hook knows the place, so [`install_hook`] records it for the
//! thread. A record is used only for a payload that matches it: a payload of `resume_unwind` has run no hook, and
//! must not be reported with the place of an older panic.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

use super::text::bounded;

/// One panic, as the hook recorded it.
struct Note {
    payload: TypeId,
    text: String,
    place: String,
}

impl Note {
    fn fits(&self, payload: &(dyn Any + Send)) -> bool {
        self.payload == payload.type_id() && self.text == payload_text(payload)
    }

    fn into_text(self) -> String {
        if self.place.is_empty() { self.text } else { format!("{} (at {})", self.text, self.place) }
    }
}

thread_local! {
    /// The last panic of this thread that was not reported yet.
    static LAST: RefCell<Option<Note>> = const { RefCell::new(None) };
}

/// Records the place of every panic, and then runs the previous hook.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(wrap_hook);
}

/// Installs the hook again after the program's set-up: a hook of the program that replaced this one without calling
/// it would hide every place.
pub(crate) fn install_hook_again() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(wrap_hook);
}

/// Does it again when the first session is spawned, which may be long before the set-up is over. What unwinds
/// a session is known by its note only.
pub(crate) fn install_hook_for_sessions() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(wrap_hook);
}

fn wrap_hook() {
    // Both panic on a thread that is panicking.
    if std::thread::panicking() {
        return;
    }
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        note(info);
        previous(info);
    }));
}

fn note(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let place = info.location().map(|place| format!("{}:{}:{}", place.file(), place.line(), place.column()));
    let note =
        Note { payload: payload.type_id(), text: payload_text(payload).to_owned(), place: place.unwrap_or_default() };
    // A panic while this thread-local is destroyed must not cause another one.
    let _ = LAST.try_with(|last| last.replace(Some(note)));
}

fn take_note() -> Option<Note> {
    LAST.try_with(|last| last.borrow_mut().take()).ok().flatten()
}

/// The panic that unwinds this thread, if the hook has recorded it.
pub(crate) fn current_panic() -> String {
    let text = take_note().map(Note::into_text);
    bounded(text.as_deref().unwrap_or("a panic whose message the program's panic hook kept to itself"))
}

/// The message of a caught panic, and its place if that is known.
fn panic_text(payload: &(dyn Any + Send)) -> String {
    match take_note().filter(|note| note.fits(payload)) {
        Some(note) => bounded(&note.into_text()),
        None => bounded(payload_text(payload)),
    }
}

/// Runs user code outside a service or session, such as a destructor or a waker.
///
/// # Errors
///
/// The text of its panic.
pub(crate) fn catch<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let text = panic_text(&*payload);
        discard(payload);
        text
    })
}

/// Drops a panic's payload, whose destructor is user code and may panic too.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Dropping payloads of payloads could go on forever.
        std::mem::forget(another);
    }
}

fn payload_text(payload: &dyn Any) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a panic whose payload is no text"
    }
}

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;

    use super::*;

    fn text_of(run: impl FnOnce()) -> String {
        catch(run).expect_err("it panics")
    }

    #[test]
    fn a_panic_is_reported_with_its_place() {
        install_hook();
        let text = text_of(|| panic!("no {}", "disk"));
        assert!(text.starts_with("no disk (at ") && text.contains("panics.rs:"), "{text}");
    }

    #[test]
    fn a_resumed_panic_does_not_get_the_text_of_an_older_one() {
        install_hook();
        // The program itself catches this one, so its record stays.
        let _ = catch_unwind(|| panic!("an older panic"));
        assert_eq!(text_of(|| resume_unwind(Box::new("the payload's own words"))), "the payload's own words");
        let _ = catch_unwind(|| panic!("an older panic"));
        assert_eq!(text_of(|| resume_unwind(Box::new(7))), "a panic whose payload is no text");
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_survived() {
        struct Payload;
        impl Drop for Payload {
            fn drop(&mut self) {
                resume_unwind(Box::new("from the payload's destructor"));
            }
        }
        assert_eq!(text_of(|| resume_unwind(Box::new(Payload))), "a panic whose payload is no text");
    }
}
