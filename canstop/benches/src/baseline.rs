//! Committed figures, which a change must not make worse.

use std::fmt::{self, Write};
use std::{fs, io};

/// Named ratios.
pub type Figures = Vec<(String, f64)>;

/// By which fraction a figure may grow.
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
    /// The baseline at this path.
    pub const fn at(path: &'static str) -> Self {
        Self { path }
    }

    /// Writes these figures as the new baseline.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn bless(&self, figures: &Figures) -> io::Result<()> {
        fs::write(self.path, format(figures))
    }

    /// Compares figures with the baseline, and returns a line for each improvement.
    ///
    /// # Errors
    ///
    /// A line for each figure that got worse or is missing on one side, or why the file cannot be read.
    pub fn check(&self, figures: &Figures) -> Result<Vec<String>, String> {
        let text = fs::read_to_string(self.path).map_err(|error| format!("cannot read {}: {error}", self.path))?;
        let before = parse(&text).map_err(|line| format!("{}: not a figure: {line}", self.path))?;
        let Changes { better, faults } = compare(&before, figures);
        if faults.is_empty() { Ok(better) } else { Err(faults.join("\n")) }
    }
}

fn format(figures: &Figures) -> String {
    figures.iter().fold(HEADER.to_owned(), |mut text, (name, ratio)| {
        writeln!(text, "{name} = {ratio:.4}").expect("a string takes all that is written");
        text
    })
}

/// The figures, or the first line that cannot be parsed.
fn parse(text: &str) -> Result<Figures, String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let figure = |line: &str| {
        let (name, ratio) = line.rsplit_once(" = ")?;
        Some((name.to_owned(), ratio.parse().ok()?))
    };
    lines.map(|line| figure(line).ok_or_else(|| line.to_owned())).collect()
}

#[derive(Debug, Default, PartialEq)]
struct Changes {
    better: Vec<String>,
    faults: Vec<String>,
}

fn compare(before: &Figures, now: &Figures) -> Changes {
    let find = |figures: &Figures, name: &str| figures.iter().find(|(known, _)| known == name).map(|(_, ratio)| *ratio);
    let mut changes = Changes::default();
    for (name, now) in now {
        let Some(before) = find(before, name) else {
            changes.faults.push(format!("{name}: {now:.4}, and the baseline does not have it"));
            continue;
        };
        let growth = now / before - 1.0;
        let change = format!("{name}: from {before:.4} to {now:.4}, {:+.1} %", growth * 100.0);
        if growth > TOLERANCE {
            changes.faults.push(change);
        } else if growth < -TOLERANCE {
            changes.better.push(change);
        }
    }
    let gone = before.iter().filter(|(name, _)| find(now, name).is_none());
    changes.faults.extend(gone.map(|(name, _)| format!("{name}: only the baseline has it")));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(figures: &[(&str, f64)]) -> Figures {
        figures.iter().map(|&(name, ratio)| (name.to_owned(), ratio)).collect()
    }

    #[test]
    fn blessed_figures_are_read_back() {
        let blessed = figures(&[("a = b, empty", 1.25), ("c", 0.5)]);
        assert_eq!(parse(&format(&blessed)), Ok(blessed));
        assert_eq!(parse("a = fast"), Err("a = fast".to_owned()));
    }

    #[test]
    fn a_growth_beyond_two_percent_is_a_fault() {
        let before = figures(&[("empty", 1.0), ("yield", 1.1)]);
        assert_eq!(compare(&before, &figures(&[("empty", 1.0199), ("yield", 1.079)])), Changes::default());
        assert_eq!(
            compare(&before, &figures(&[("empty", 1.03), ("yield", 0.99)])),
            Changes {
                better: vec!["yield: from 1.1000 to 0.9900, -10.0 %".to_owned()],
                faults: vec!["empty: from 1.0000 to 1.0300, +3.0 %".to_owned()],
            }
        );
    }

    #[test]
    fn a_figure_missing_on_one_side_is_a_fault() {
        let Changes { faults, .. } = compare(&figures(&[("old", 1.0)]), &figures(&[("new", 1.0)]));
        assert_eq!(faults, ["new: 1.0000, and the baseline does not have it", "old: only the baseline has it"]);
    }
}
