//! How events are reported: their text, the way they take, and what happens where the log stalls.

mod display;
mod event;
mod emit;
mod quiet;
mod stderr;
mod reporter;

pub(crate) use display::{Left, ROWS, Rounded, rows_without_line};
pub(crate) use reporter::{ReportThread, Reporter};
pub(crate) use stderr::write_past_lock;
