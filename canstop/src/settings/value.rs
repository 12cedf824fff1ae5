//! Parsing the value of a variable, and showing one.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::duration;

/// Which of canstop's own lines go to stderr if no subscriber is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LogLevel {
    Off,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// A configured duration, exactly as it was configured: "25 s", "4.5 s", "250 ms".
pub(crate) struct Plain(pub(crate) Duration);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:?}", self.0);
        let unit = text.find(|c: char| c.is_alphabetic() || c == 'µ').unwrap_or(text.len());
        write!(f, "{} {}", &text[..unit], &text[unit..])
    }
}

/// Parses a duration greater than zero.
pub(super) fn positive(text: &str) -> Result<Duration, String> {
    match duration::read(text)? {
        Duration::ZERO => Err("that is no time at all; write for example \"5s\"".to_owned()),
        duration => Ok(duration),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    duration::read(text)
}

/// Parses a value that may also be `off`.
pub(super) fn or_off<T>(text: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text == "off" { Ok(None) } else { read(text).map(Some).map_err(|why| format!("{why}, or \"off\"")) }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "it is not an IP address with a port; write for example \"127.0.0.1:9000\"".to_owned())
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    one_of(text, &[("on", true), ("off", false)])
}

pub(super) fn log_level(text: &str) -> Result<LogLevel, String> {
    one_of(
        text,
        &[
            ("off", LogLevel::Off),
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
        ],
    )
}

/// Parses one of these words.
pub(super) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let known = words.iter().find(|(word, _)| *word == text);
    known.map(|&(_, value)| value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        format!("write one of {}", words.join(", "))
    })
}
