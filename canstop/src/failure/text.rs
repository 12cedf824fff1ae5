//! Text of bounded length.

use std::fmt;

/// As much text as one error or panic is reported with, in bytes.
const LIMIT: usize = 8 * 1_024;
/// Follows a text that was cut.
const CUT: &str = " .. (cut)";

/// Text that takes no more than is reported. Writing beyond it fails, so that a `Display` without end
/// ends.
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
    // It fails where it cuts.
    let _ = fmt::Write::write_str(&mut cut, text);
    cut.into_text()
}
