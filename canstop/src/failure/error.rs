//! An error and its sources in one line.

use std::error::Error;
use std::fmt::{self, Debug, Display, Write};

use super::panics::catch;
use super::text::Bounded;

/// How many sources of an error are reported. A circular chain ends here.
const SOURCES: usize = 32;

/// An error and its sources, in one line.
pub(crate) fn with_sources(error: &(impl Error + ?Sized)) -> String {
    let mut text = Bounded::default();
    write(&mut text, "Display", |text| write!(text, "{error}"));
    let mut source = source_of(error);
    for _ in 0..SOURCES {
        let error = match source {
            Ok(None) => return text.into_text(),
            Ok(Some(error)) => error,
            Err(panic) => {
                let _ = write!(text, " (its source() panicked: {panic})");
                return text.into_text();
            }
        };
        let _ = text.write_str(": ");
        write(&mut text, "Display", |text| write!(text, "{error}"));
        if text.is_full() {
            return text.into_text();
        }
        source = source_of(error);
    }
    if !matches!(source, Ok(None)) {
        let _ = text.write_str(": .. (and more sources)");
    }
    text.into_text()
}

/// Formats an error that is no [`Error`]. `anyhow` shows its sources in this format.
pub(crate) fn display_text(error: &impl Display) -> String {
    let mut text = Bounded::default();
    write(&mut text, "Display", |text| write!(text, "{error:#}"));
    text.into_text()
}

/// Formats an error without a `Display`.
pub(crate) fn debug_text(error: &impl Debug) -> String {
    let mut text = Bounded::default();
    write(&mut text, "Debug", |text| write!(text, "{error:?}"));
    text.into_text()
}

fn source_of<'a>(error: &'a (impl Error + ?Sized)) -> Result<Option<&'a (dyn Error + 'static)>, String> {
    catch(|| error.source())
}

/// Runs a formatting function of user code. If it fails or panics, writes that instead.
fn write(text: &mut Bounded, by: &str, user: impl FnOnce(&mut Bounded) -> fmt::Result) {
    let failed = match catch(|| user(text)) {
        Ok(Ok(())) => return,
        // An error from the length limit is not a failure of the user's code.
        Ok(Err(fmt::Error)) => format!("(its {by} failed)"),
        Err(panic) => format!("(its {by} panicked: {panic})"),
    };
    let _ = text.write_str(&failed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fails;
    impl Display for Fails {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Err(fmt::Error)
        }
    }
    impl Error for Fails {}

    #[derive(Debug)]
    struct Circle;
    impl Display for Circle {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("round")
        }
    }
    impl Error for Circle {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    struct Panics;
    impl Display for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no words for it")
        }
    }
    impl Debug for Panics {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no words for it")
        }
    }
    impl Error for Panics {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            panic!("no source either")
        }
    }

    #[derive(Debug)]
    struct Endless;
    impl Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                f.write_str("\u{e9}ndless ")?;
            }
        }
    }
    impl Error for Endless {}

    #[test]
    fn a_failing_display_is_reported() {
        assert_eq!(with_sources(&Fails), "(its Display failed)");
        assert_eq!(display_text(&Fails), "(its Display failed)");
    }

    #[test]
    fn a_circle_of_sources_is_cut_at_32() {
        let text = with_sources(&Circle);
        assert_eq!(text.matches("round").count(), 33);
        assert!(text.ends_with(": .. (and more sources)"), "{text}");
    }

    #[test]
    fn a_panicking_error_is_reported() {
        let text = with_sources(&Panics);
        assert!(text.starts_with("(its Display panicked: no words for it"), "{text}");
        assert!(text.contains("(its source() panicked: no source either"), "{text}");
        assert!(debug_text(&Panics).starts_with("(its Debug panicked: no words for it"));
    }

    #[test]
    fn an_endless_text_is_cut() {
        let text = with_sources(&Endless);
        assert!(text.len() < 9_000 && text.ends_with("(cut)"), "{} bytes", text.len());
    }
}
