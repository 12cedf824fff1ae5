//! Text of bounded length.

use std::fmt;

/// The longest text of one error or panic in a report, in bytes.
const LIMIT: usize = 8 * 1_024;
/// Marks a text that was cut.
const CUT: &str = " .. (cut)";

/// Text with a maximum length. Writing more fails, which ends a `Display` that writes without end.
#[derive(Debug, Default)]
pub(super) struct Bounded {
    text: String,
    is_full: bool,
}

impl Bounded {
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_full {
            return Err(fmt::Error);
        }
        let room = LIMIT - self.text.len();
        if text.len() <= room {
            self.text.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        self.text.push_str(&text[..end]);
        self.text.push_str(CUT);
        self.is_full = true;
        Err(fmt::Error)
    }
}

/// Cuts a text that is too long to be reported.
pub(super) fn bounded(text: &str) -> String {
    let mut cut = Bounded::default();
    // The write fails at the limit.
    let _ = fmt::Write::write_str(&mut cut, text);
    cut.into_text()
}
