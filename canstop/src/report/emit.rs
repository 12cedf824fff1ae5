//! Handing events to the subscriber of the program.

use tracing::Level;
use tracing::dispatcher::get_default;
use tracing::subscriber::NoSubscriber;

use crate::failure::catch;
use crate::machine::Event;

/// What became of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Emitted {
    /// There is a subscriber, and it had the event, or filtered it.
    Subscribed,
    /// There is no subscriber.
    NoSubscriber,
    /// The subscriber panicked with this.
    Panicked(String),
}

/// Hands an event to the program's subscriber, which is user code.
///
/// The message is the text for people; the fields are for programs.
pub(super) fn emit(event: &Event) -> Emitted {
    let emitted = catch(|| {
        let is_subscribed = get_default(|dispatch| !dispatch.is::<NoSubscriber>());
        if is_subscribed {
            event.emit();
        }
        is_subscribed
    });
    match emitted {
        Ok(true) => Emitted::Subscribed,
        Ok(false) => Emitted::NoSubscriber,
        Err(panic) => Emitted::Panicked(panic),
    }
}

/// Hands an event to the test's subscriber, or else writes it into the test's own output.
pub(super) fn emit_in_test(event: &Event) {
    if emit(event) != Emitted::Subscribed && event.level() != Level::DEBUG {
        eprintln!("canstop: {event}");
    }
}
