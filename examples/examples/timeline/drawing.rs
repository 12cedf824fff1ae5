//! A recording as an SVG picture, for light and dark surroundings.

use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::recording::{Recording, ServiceBar};

const WIDTH: f64 = 760.0;
/// The place of names, left of the bars.
const NAMES: f64 = 110.0;
const RIGHT: f64 = 20.0;
const ROW: f64 = 30.0;
const BAR: f64 = 18.0;
const TOP: f64 = 56.0;
/// The height of the curve of sessions.
const CURVE: f64 = 70.0;

const STYLE: &str = "\
svg{--ink:#1f2328;--faint:#59636e;--line:#d1d9e0;--paper:#fff;--run:#1a7f37;--stop:#bf8700;--bad:#cf222e;\
--step:#ddf4ff;--curve:#0969da}\
@media(prefers-color-scheme:dark){svg{--ink:#f0f6fc;--faint:#9198a1;--line:#3d444d;--paper:#0d1117;--run:#3fb950;\
--stop:#d29922;--bad:#f85149;--step:#0c2d6b;--curve:#58a6ff}}\
text{font:12px system-ui,sans-serif;fill:var(--ink)}.faint{fill:var(--faint)}.title{font-size:14px;font-weight:600}\
.paper{fill:var(--paper)}.grid{stroke:var(--line)}.step{fill:var(--step)}.run{fill:var(--run)}.stop{fill:var(--stop)}\
.bad{fill:var(--bad)}.limit{stroke:var(--bad);stroke-dasharray:4 3}.curve{fill:var(--curve);fill-opacity:.25;\
stroke:var(--curve)}";

/// Maps times to places.
struct Scale {
    seconds: f64,
}

impl Scale {
    fn x(&self, at: Duration) -> f64 {
        NAMES + (WIDTH - NAMES - RIGHT) * (at.as_secs_f64() / self.seconds).min(1.0)
    }
}

/// Text between tags.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                character => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Draws the stop.
pub(crate) fn svg(recording: &Recording) -> String {
    let mut picture = String::new();
    // Writing to a string does not fail.
    let _ = draw(&mut picture, recording);
    picture
}

fn draw(svg: &mut String, recording: &Recording) -> fmt::Result {
    let rows = recording.services.len() as f64;
    let curve_top = TOP + ROW * (rows + 1.0);
    let axis = curve_top + CURVE + 8.0;
    let height = axis + 44.0;
    let scale = Scale { seconds: recording.grace.max(recording.ended).as_secs_f64() };
    write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\
         <title>How a stop went</title><style>{STYLE}</style>\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>\
         <text class=\"title\" x=\"12\" y=\"24\">{}</text>",
        Text(&recording.last_line),
    )?;
    seconds(svg, &scale, axis)?;
    for step in &recording.steps {
        let (from, until) = (scale.x(step.began), scale.x(step.until));
        let width = (until - from - 1.0).max(1.0);
        write!(
            svg,
            "<rect class=\"step\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"3\">"
        )?;
        write!(svg, "<title>{}</title></rect>", Text(&step.name))?;
        // A narrow step has its name where the mouse is.
        if width > 7.0 * step.name.len() as f64 {
            write!(svg, "<text x=\"{:.1}\" y=\"{}\">{}</text>", from + 5.0, TOP + 13.0, Text(&step.name))?;
        }
    }
    write!(svg, "<text class=\"faint\" x=\"12\" y=\"{}\">steps</text>", TOP + 13.0)?;
    for (index, service) in recording.services.iter().enumerate() {
        bar(svg, &scale, TOP + ROW * (index as f64 + 1.0), service, recording.ended)?;
    }
    sessions(svg, &scale, curve_top, recording)?;
    let limit = scale.x(recording.grace);
    write!(svg, "<line class=\"limit\" x1=\"{limit:.1}\" x2=\"{limit:.1}\" y1=\"{}\" y2=\"{axis:.1}\"/>", TOP - 6.0)?;
    write!(svg, "<text class=\"faint\" x=\"{limit:.1}\" y=\"{}\" text-anchor=\"end\">grace</text>", TOP - 10.0)?;
    legend(svg, height - 12.0)?;
    svg.push_str("</svg>\n");
    Ok(())
}

/// The axis of time: a line for each second.
fn seconds(svg: &mut String, scale: &Scale, axis: f64) -> fmt::Result {
    for second in 0..=scale.seconds as u64 {
        let x = scale.x(Duration::from_secs(second));
        write!(svg, "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{axis:.1}\"/>")?;
        let y = axis + 14.0;
        write!(svg, "<text class=\"faint\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{second} s</text>")?;
    }
    Ok(())
}

fn bar(svg: &mut String, scale: &Scale, y: f64, service: &ServiceBar, end: Duration) -> fmt::Result {
    write!(svg, "<text x=\"12\" y=\"{}\">{}</text>", y + 13.0, Text(&service.name))?;
    let ended = service.ended.unwrap_or(end);
    let stopping = service.stopping.unwrap_or(ended).min(ended);
    let last = if service.abandoned { "bad" } else { "stop" };
    for (class, from, until) in [("run", Duration::ZERO, stopping), (last, stopping, ended)] {
        let (from, until) = (scale.x(from), scale.x(until));
        let width = (until - from).max(1.5);
        write!(svg, "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\"/>")?;
    }
    Ok(())
}

/// The curve of live sessions, and what was abandoned.
fn sessions(svg: &mut String, scale: &Scale, top: f64, recording: &Recording) -> fmt::Result {
    let most = recording.sessions.iter().map(|&(_, alive)| alive).max().unwrap_or_default();
    let bottom = top + CURVE;
    write!(svg, "<text x=\"12\" y=\"{}\">sessions</text>", top + 13.0)?;
    write!(svg, "<text class=\"faint\" x=\"12\" y=\"{}\">at most {most}</text>", top + 29.0)?;
    let y = |alive: u64| bottom - (CURVE - 8.0) * alive as f64 / most.max(1) as f64;
    write!(svg, "<path class=\"curve\" d=\"M{:.1} {bottom:.1}", scale.x(Duration::ZERO))?;
    let mut last = recording.sessions.first().map_or(0, |&(_, alive)| alive);
    write!(svg, "V{:.1}", y(last))?;
    for &(at, alive) in &recording.sessions {
        if alive != last {
            write!(svg, "H{:.1}V{:.1}", scale.x(at), y(alive))?;
            last = alive;
        }
    }
    write!(svg, "H{:.1}V{bottom:.1}Z\"/>", scale.x(recording.ended))?;
    for (number, (at, what)) in recording.abandoned.iter().enumerate() {
        let (x, y) = (scale.x(*at), top + 13.0 + 16.0 * number as f64);
        write!(svg, "<circle class=\"bad\" cx=\"{x:.1}\" cy=\"{:.1}\" r=\"4\"/>", y - 4.0)?;
        write!(svg, "<text x=\"{:.1}\" y=\"{y:.1}\">{}</text>", x + 8.0, Text(what))?;
    }
    Ok(())
}

fn legend(svg: &mut String, y: f64) -> fmt::Result {
    let mut x = NAMES;
    for (class, word) in [("run", "runs"), ("stop", "stops"), ("bad", "abandoned")] {
        write!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"10\" height=\"10\"/>", y - 9.0)?;
        write!(svg, "<text class=\"faint\" x=\"{}\" y=\"{y}\">{word}</text>", x + 15.0)?;
        x += 90.0;
    }
    Ok(())
}
