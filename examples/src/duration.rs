//! Durations on a command line.

use std::time::Duration;

/// Parses a duration: a whole number and a unit, `ms`, `s` or `m`.
///
/// ```
/// use std::time::Duration;
///
/// use canstop_examples::parse_duration;
///
/// assert_eq!(parse_duration("20ms"), Ok(Duration::from_millis(20)));
/// assert!(parse_duration("20").is_err());
/// ```
///
/// # Errors
///
/// If the text is no such duration, or the duration is zero or longer than a day.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        _ => return Err("write a whole number and `ms`, `s` or `m`, as in `20ms`".to_owned()),
    };
    let duration = number.parse().ok().and_then(|number: u32| unit.checked_mul(number));
    let duration = duration.filter(|duration| (Duration::from_millis(1)..=LONGEST).contains(duration));
    duration.ok_or_else(|| "it must be from 1 ms to a day".to_owned())
}
