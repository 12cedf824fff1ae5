//! Figures that are committed, and that a change must not make worse.

use std::fmt::{self, Write};
use std::{fs, io};

/// Named ratios.
pub type Figures = Vec<(String, f64)>;

/// A figure may grow by this part of itself.
const TOLERANCE: f64 = 0.02;

const HEADER: &str = "\
# Instructions as ratios to the floor of the same run, on x86-64 Linux with glibc. Written by
# cargo bench -p canstop-benches --bench instructions -- --bless
";

/// The committed file.
#[derive(Debug)]
pub struct Baseline {
    path: &'static str,
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)
    }
}

impl Baseline {
    /// The one at this path.
    pub const fn at(path: &'static str) -> Self {
        Self { path }
    }

    /// Takes these figures for good.
    pub fn bless(&self, figures: &Figures) -> io::Result<()> {
        fs::write(self.path, format(figures))
    }

    /// Compares figures with it. What got worse, or is not the same list, is an error in words.
    pub fn check(&self, figures: &Figures) -> Result<(), String> {
        let text = fs::read_to_string(self.path).map_err(|error| format!("cannot read {}: {error}", self.path))?;
        let faults = compare(&parse(&text).map_err(|line| format!("{}: not a figure: {line}", self.path))?, figures);
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }
}

fn format(figures: &Figures) -> String {
    figures.iter().fold(HEADER.to_owned(), |mut text, (name, ratio)| {
        writeln!(text, "{name} = {ratio:.4}").expect("a string takes all that is written");
        text
    })
}

/// The figures, or the line that is none.
fn parse(text: &str) -> Result<Figures, String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let figure = |line: &str| {
        let (name, ratio) = line.rsplit_once(" = ")?;
        Some((name.to_owned(), ratio.parse().ok()?))
    };
    lines.map(|line| figure(line).ok_or_else(|| line.to_owned())).collect()
}

fn compare(before: &Figures, now: &Figures) -> Vec<String> {
    let find = |figures: &Figures, name: &str| figures.iter().find(|(known, _)| known == name).map(|(_, ratio)| *ratio);
    let mut faults = Vec::new();
    for (name, now) in now {
        match find(before, name) {
            Some(before) if *now > before * (1.0 + TOLERANCE) => {
                let growth = (now / before - 1.0) * 100.0;
                faults.push(format!("{name}: from {before:.4} to {now:.4}, {growth:.1} % more"));
            }
            Some(_) => {}
            None => faults.push(format!("{name}: {now:.4}, and the baseline does not have it")),
        }
    }
    let gone = before.iter().filter(|(name, _)| find(now, name).is_none());
    faults.extend(gone.map(|(name, _)| format!("{name}: only the baseline has it")));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(figures: &[(&str, f64)]) -> Figures {
        figures.iter().map(|&(name, ratio)| (name.to_owned(), ratio)).collect()
    }

    #[test]
    fn what_was_blessed_is_read_as_it_was() {
        let blessed = figures(&[("a = b, empty", 1.25), ("c", 0.5)]);
        assert_eq!(parse(&format(&blessed)), Ok(blessed));
        assert_eq!(parse("a = fast"), Err("a = fast".to_owned()));
    }

    #[test]
    fn two_percent_more_is_borne_and_what_is_beyond_is_named_with_both_figures() {
        let before = figures(&[("empty", 1.0), ("yield", 1.1)]);
        assert_eq!(compare(&before, &figures(&[("empty", 1.0199), ("yield", 0.5)])), [""; 0]);
        assert_eq!(
            compare(&before, &figures(&[("empty", 1.03), ("yield", 1.1)])),
            ["empty: from 1.0000 to 1.0300, 3.0 % more"]
        );
    }

    #[test]
    fn a_figure_that_only_one_side_has_is_a_fault() {
        let faults = compare(&figures(&[("old", 1.0)]), &figures(&[("new", 1.0)]));
        assert_eq!(faults, ["new: 1.0000, and the baseline does not have it", "old: only the baseline has it"]);
    }
}
