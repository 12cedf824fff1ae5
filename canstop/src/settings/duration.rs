//! Durations as people write them: "250ms", "5s", "1.5h".

use std::time::Duration;

/// The units, with what people write for them elsewhere.
const UNITS: [(&str, u64, &[&str]); 4] = [
    ("ms", 1_000_000, &["msec", "msecs", "millis", "millisecond", "milliseconds"]),
    ("s", 1_000_000_000, &["sec", "secs", "second", "seconds"]),
    ("m", 60_000_000_000, &["min", "mins", "minute", "minutes"]),
    ("h", 3_600_000_000_000, &["hr", "hrs", "hour", "hours"]),
];

/// Reads one number and one unit, or says what is wrong and what to write.
pub(crate) fn read(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(format!("\"{text}\" does not begin with a number; write for example \"5s\""));
    }
    let (whole, fraction) = match number.split_once('.') {
        None => (number, ""),
        Some((whole, fraction)) if is_digits(whole) && is_digits(fraction) => (whole, fraction),
        Some(_) => {
            return Err(format!("\"{number}\" is not a number; write for example \"1.5s\""));
        }
    };
    let scale = scale_of(text, number, unit)?;
    nanos(whole, fraction, scale).map(Duration::from_nanos).map_err(|why| format!("\"{text}\" is {why}"))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The unit in nanoseconds, or the mend.
fn scale_of(text: &str, number: &str, unit: &str) -> Result<u64, String> {
    if let Some((_, scale, _)) = UNITS.iter().find(|(name, ..)| *name == unit) {
        return Ok(*scale);
    }
    let meant = unit.trim().to_lowercase();
    if meant.is_empty() {
        return Err(format!("\"{text}\" has no unit; write \"{number}s\", or one of \"ms\", \"m\" and \"h\""));
    }
    let known = UNITS.iter().find(|(name, _, others)| *name == meant || others.contains(&meant.as_str()));
    Err(match known {
        Some((name, ..)) => format!("\"{text}\" has no known unit; write \"{number}{name}\""),
        None if unit.contains(|c: char| c.is_ascii_digit()) => {
            format!("\"{text}\" is not one number and one unit; write for example \"90s\"")
        }
        None => format!("\"{text}\" has no known unit; the units are \"ms\", \"s\", \"m\" and \"h\""),
    })
}

/// The count of nanoseconds, exactly: what is written is what happens.
fn nanos(whole: &str, fraction: &str, scale: u64) -> Result<u64, &'static str> {
    const TOO_LONG: &str = "longer than 584 years; write a shorter one";
    const TOO_FINE: &str = "finer than a nanosecond; write fewer decimals";
    let whole = whole.parse::<u64>().map_err(|_| TOO_LONG)?;
    let whole = whole.checked_mul(scale).ok_or(TOO_LONG)?;
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        return Ok(whole);
    }
    let tenths = u32::try_from(fraction.len()).ok().and_then(|digits| 10_u64.checked_pow(digits)).ok_or(TOO_FINE)?;
    let fraction = u128::from(fraction.parse::<u64>().map_err(|_| TOO_FINE)?) * u128::from(scale);
    if !fraction.is_multiple_of(u128::from(tenths)) {
        return Err(TOO_FINE);
    }
    // A fraction is less than one unit, so this fits wherever the unit does.
    let fraction = u64::try_from(fraction / u128::from(tenths)).map_err(|_| TOO_LONG)?;
    whole.checked_add(fraction).ok_or(TOO_LONG)
}

#[cfg(test)]
mod tests {
    use super::read;
    use std::time::Duration;

    #[test]
    fn numbers_and_units_are_read_exactly() {
        for (text, expected) in [
            ("250ms", Duration::from_millis(250)),
            ("5s", Duration::from_secs(5)),
            ("2m", Duration::from_secs(120)),
            ("1h", Duration::from_secs(3600)),
            ("1.5s", Duration::from_millis(1500)),
            ("0.5ms", Duration::from_micros(500)),
            ("0.1s", Duration::from_millis(100)),
            ("1.50h", Duration::from_secs(5400)),
            ("0s", Duration::ZERO),
            ("007s", Duration::from_secs(7)),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_refusal_says_what_to_write() {
        for (text, mend) in [
            ("", "write for example \"5s\""),
            ("s", "write for example \"5s\""),
            ("-5s", "write for example \"5s\""),
            ("five", "write for example \"5s\""),
            ("5", "write \"5s\""),
            ("5 ", "write \"5s\""),
            ("5 s", "write \"5s\""),
            ("5S", "write \"5s\""),
            ("5sec", "write \"5s\""),
            ("10 minutes", "write \"10m\""),
            ("1.5 hours", "write \"1.5h\""),
            ("3msec", "write \"3ms\""),
            ("1m30s", "write for example \"90s\""),
            ("5d", "the units are"),
            ("5µs", "the units are"),
            (".5s", "write for example \"1.5s\""),
            ("1.s", "write for example \"1.5s\""),
            ("1.2.3s", "write for example \"1.5s\""),
            ("99999999999999999999s", "write a shorter one"),
            ("600000000h", "write a shorter one"),
            ("0.0000001ms", "write fewer decimals"),
            ("0.00000000000000000000000000000001h", "write fewer decimals"),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(mend), "{text}: {why}");
        }
    }
}
