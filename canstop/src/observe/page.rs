//! The status as JSON, and as a page without scripts.

use std::fmt::{self, Write as _};
use std::time::Duration;

use tokio::time::Instant;

use super::status::{ServiceStatus, SessionStatus, Status};
use super::words::word_of_state;
use crate::machine::Phase;
use crate::report::{Left, Rounded};
use crate::session::Numbers;

/// What a page shows beside the status.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) numbers: Numbers,
    /// The steps of a stop.
    pub(crate) steps: Vec<Step>,
    /// What a stop waits for.
    pub(crate) waiting_for: Vec<String>,
    /// What blocks threads, with the place and for how long.
    pub(crate) blocking: Vec<String>,
}

/// A step of a stop.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) progress: Progress,
    /// How much of its time is left.
    pub(crate) left: Duration,
}

/// Where a stop is, seen from a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    Current,
    Next,
}

impl Progress {
    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Current => "current",
            Self::Next => "next",
        }
    }
}

/// A page that refreshes itself, for phones and screens, with a light and a dark style.
const HEAD: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="1">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>Status</title><style>
:root{color-scheme:light dark;--line:#8884;--bad:#c62828;--good:#2e7d32;--wait:#9a6700}
@media(prefers-color-scheme:dark){:root{--bad:#ff8a80;--good:#81c784;--wait:#ffd54f}}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}h1{font-size:1.3rem;margin:0 0 .5rem}
ul,ol{list-style:none;margin:0;padding:0}li{border-top:1px solid var(--line);padding:.4rem 0;overflow-wrap:anywhere}
.session{padding-left:1rem;font-size:.9rem}.ready{color:var(--good)}.over,.waiting{opacity:.7}
.starting,.stopping,.backing_off{color:var(--wait)}.bad{color:var(--bad)}.note{font-size:.9rem;opacity:.8}
.current{font-weight:600}.done,.next{opacity:.7}.done::before{content:"\2713\a0"}
.current::before{content:"\25b8\a0"}.next::before{content:"\a0\a0\a0"}
</style></head><body>"#;

impl Status {
    /// JSON for programs. Durations are in milliseconds.
    pub(crate) fn to_json(&self, moment: &Moment) -> String {
        let numbers = &moment.numbers;
        let services: Vec<_> = self.services.iter().map(service_json).collect();
        let sessions: Vec<_> = self.sessions.iter().map(session_json).collect();
        format!(
            "{{\"phase\":{},\"ready\":{},\"blocked_threads\":{},\"stop\":{},\"blocking\":[{}],\"services\":[{}],\"sessions\":[{}]}}\n",
            Json(numbers.phase.word()),
            numbers.ready,
            numbers.blocked_threads,
            stop_json(moment),
            strings(&moment.blocking),
            services.join(","),
            sessions.join(","),
        )
    }

    /// Text for a terminal: the stop, if there is one, and the tree.
    pub(crate) fn to_text(&self, moment: &Moment) -> String {
        let mut text = String::new();
        if let Some((stopping, left)) = stop_times(&moment.numbers) {
            let _ = writeln!(text, "stopping for {}{}", Rounded(stopping), Left(left));
            for Step { name, progress, left } in &moment.steps {
                let _ = match progress {
                    Progress::Current => {
                        writeln!(text, "  {name}: {}", waits(&moment.waiting_for, *left))
                    }
                    progress => writeln!(text, "  {name}: {}", progress.word()),
                };
            }
        }
        for line in &moment.blocking {
            let _ = writeln!(text, "{line}");
        }
        let _ = writeln!(text, "{self}");
        text
    }

    /// A page for a browser.
    pub(crate) fn to_html(&self, moment: &Moment) -> String {
        let numbers = &moment.numbers;
        let mut page = String::from(HEAD);
        let class = if numbers.ready { "ready" } else { "starting" };
        let _ = write!(page, "<h1 class=\"{class}\">{}</h1>", headline(numbers));
        if let Some((stopping, left)) = stop_times(numbers) {
            let _ = write!(page, "<p>stopping for {}{}</p><ol>", Rounded(stopping), Left(left));
            for Step { name, progress, left } in &moment.steps {
                let _ = write!(page, "<li class=\"{}\">{}", progress.word(), Html(name));
                if *progress == Progress::Current {
                    let _ =
                        write!(page, "<br><span class=\"note\">{}</span>", Html(&waits(&moment.waiting_for, *left)));
                }
                page.push_str("</li>");
            }
            page.push_str("</ol>");
        }
        for line in &moment.blocking {
            let _ = write!(page, "<p class=\"bad\">{}</p>", Html(line));
        }
        page.push_str("<ul>");
        for service in &self.services {
            let depth = service.name.matches('/').count();
            let _ = write!(page, "<li style=\"padding-left:{depth}rem\"><b>{}</b> ", Html(&service.name));
            let (class, state) = (word_of_state(service.state), service.state);
            let _ = write!(page, "<span class=\"{class}\">{state}</span> for {}", Rounded(service.since));
            if service.restarts > 0 {
                let _ = write!(page, ", restarts: {}", service.restarts);
            }
            if let Some(error) = &service.last_error {
                let _ = write!(page, "<br><span class=\"bad\">{}</span>", Html(error));
            }
            let _ = write!(page, "<br><span class=\"note\">{}</span></li>", service.location);
            let own = self.sessions.iter().filter(|sessions| sessions.owner.as_ref() == Some(&service.name));
            own.for_each(|sessions| row(&mut page, sessions));
        }
        self.sessions.iter().filter(|sessions| sessions.owner.is_none()).for_each(|sessions| row(&mut page, sessions));
        page.push_str("</ul></body></html>\n");
        page
    }
}

fn headline(numbers: &Numbers) -> &'static str {
    match numbers.phase {
        Phase::Running if numbers.ready => "Ready",
        Phase::Running => "Not ready",
        phase => phase.headline(),
    }
}

fn row(page: &mut String, sessions: &SessionStatus) {
    let _ = write!(page, "<li class=\"session\">{}</li>", Html(&sessions.to_string()));
}

/// For how long a stop has been going on, and how much of its time is left.
fn stop_times(numbers: &Numbers) -> Option<(Duration, Duration)> {
    let (requested, ends) = numbers.stop?;
    Some((requested.elapsed(), ends.saturating_duration_since(Instant::now())))
}

/// What the current step waits for.
fn waits(waiting_for: &[String], left: Duration) -> String {
    let what = if waiting_for.is_empty() { "its end".to_owned() } else { waiting_for.join(", ") };
    format!("waiting for {what}{}", Left(left))
}

fn strings(texts: &[String]) -> String {
    texts.iter().map(|text| Json(text).to_string()).collect::<Vec<_>>().join(",")
}

fn stop_json(moment: &Moment) -> String {
    let Some((stopping, left)) = stop_times(&moment.numbers) else { return "null".to_owned() };
    let waiting = moment.numbers.waiting.as_deref().map_or("null".to_owned(), |waiting| Json(waiting).to_string());
    let step = |Step { name, progress, left }: &Step| {
        format!("{{\"name\":{},\"progress\":\"{}\",\"left_ms\":{}}}", Json(name), progress.word(), left.as_millis())
    };
    format!(
        "{{\"for_ms\":{},\"left_ms\":{},\"waiting\":{waiting},\"waiting_for\":[{}],\"steps\":[{}]}}",
        stopping.as_millis(),
        left.as_millis(),
        strings(&moment.waiting_for),
        moment.steps.iter().map(step).collect::<Vec<_>>().join(","),
    )
}

fn service_json(service: &ServiceStatus) -> String {
    let error = service.last_error.as_deref().map_or("null".to_owned(), |error| Json(error).to_string());
    format!(
        "{{\"name\":{},\"site\":{},\"state\":{},\"since_ms\":{},\"restarts\":{},\"last_error\":{error}}}",
        Json(&service.name),
        Json(&service.location.to_string()),
        Json(word_of_state(service.state)),
        service.since.as_millis(),
        service.restarts,
    )
}

fn session_json(sessions: &SessionStatus) -> String {
    let text = |text: Option<&str>| text.map_or("null".to_owned(), |text| Json(text).to_string());
    let oldest = sessions.oldest.map_or("null".to_owned(), |oldest| oldest.as_millis().to_string());
    format!(
        "{{\"name\":{},\"site\":{},\"function\":{},\"owner\":{},\"request\":{},\"label\":{},\"count\":{},\"oldest_ms\":{oldest}}}",
        text(sessions.name),
        Json(&sessions.location.to_string()),
        Json(sessions.function),
        text(sessions.owner.as_deref()),
        text(sessions.request.as_deref()),
        text(sessions.label.as_deref()),
        sessions.count,
    )
}

/// A JSON string.
struct Json<'a>(&'a str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                control if control.is_ascii_control() => write!(f, "\\u{:04x}", u32::from(control))?,
                character => f.write_char(character)?,
            }
        }
        f.write_char('"')
    }
}

/// Escaped text for HTML.
struct Html<'a>(&'a str);

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                character => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_text_is_escaped() {
        assert_eq!(Json("a\"b\\c\n\u{1}ä").to_string(), r#""a\"b\\c\u000a\u0001ä""#);
        assert_eq!(Html("<b>\"&").to_string(), "&lt;b&gt;&quot;&amp;");
    }
}
