//! A plot as SVG: latency over time, on a logarithmic scale.

use std::fmt::Write;
use std::time::Duration;

/// The plot's area and its margins, in pixels.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 40.0;
/// The scale, in powers of ten of a millisecond: from 0.1 ms to 1 s.
const LOWEST: i32 = -1;
const HIGHEST: i32 = 3;
/// Colours that are distinct to people with red-green colour blindness.
const COLOURS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];

pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) lost: usize,
    /// The longest wait at each point in time.
    pub(crate) worst: Vec<(Duration, Duration)>,
}

pub(crate) fn plot(lines: &[Line], length: Duration) -> String {
    let (width, height) = (LEFT + WIDTH + 20.0, TOP + HEIGHT + 50.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    draw_scales(&mut svg, length);
    for (index, (line, colour)) in lines.iter().zip(COLOURS).enumerate() {
        let points = line.worst.iter().map(|(at, took)| format!("{:.1},{:.1}", x(*at, length), y(*took)));
        let points = points.collect::<Vec<_>>().join(" ");
        line_of(
            &mut svg,
            &format!("<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{points}\"/>"),
        );
        let (left, Line { name, lost, .. }) = (LEFT + 240.0 * index as f64, line);
        line_of(&mut svg, &format!("<text x=\"{left}\" y=\"20\" fill=\"{colour}\">{name}, {lost} events lost</text>"));
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_scales(svg: &mut String, length: Duration) {
    let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
    for power in LOWEST..=HIGHEST {
        let took = Duration::from_secs_f64(10_f64.powi(power) / 1000.0);
        let (y, left) = (y(took), LEFT - 8.0);
        line_of(svg, &format!("<path d=\"M{LEFT} {y}H{right}\" stroke=\"#ddd\"/>"));
        line_of(svg, &format!("<text x=\"{left}\" y=\"{:.1}\" text-anchor=\"end\">{took:?}</text>", y + 4.0));
    }
    for second in 0..=length.as_secs() {
        let (x, below) = (x(Duration::from_secs(second), length), bottom + 18.0);
        line_of(svg, &format!("<text x=\"{x}\" y=\"{below}\" text-anchor=\"middle\">{second} s</text>"));
    }
    let (middle, below) = (x(length / 2, length), bottom + 38.0);
    line_of(svg, &format!("<path d=\"M{middle} {TOP}V{bottom}\" stroke=\"#888\" stroke-dasharray=\"4 4\"/>"));
    line_of(svg, &format!("<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">SIGTERM</text>"));
}

fn x(at: Duration, length: Duration) -> f64 {
    LEFT + WIDTH * at.div_duration_f64(length)
}

fn y(took: Duration) -> f64 {
    let power = (took.as_secs_f64() * 1000.0).log10().clamp(LOWEST.into(), HIGHEST.into());
    TOP + HEIGHT * (f64::from(HIGHEST) - power) / f64::from(HIGHEST - LOWEST)
}

fn line_of(svg: &mut String, text: &str) {
    writeln!(svg, "{text}").expect("a string takes everything");
}
