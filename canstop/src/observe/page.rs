//! The status as JSON, and as a page without scripts.

use std::fmt::{self, Write as _};

use super::status::{ServiceStatus, SessionStatus, Status};
use super::words::{word_of, word_of_state};
use crate::machine::Phase;
use crate::report::Rounded;
use crate::session::Numbers;

/// A page that refreshes itself, for phones and screens, with a light and a dark style.
const HEAD: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>Status</title><style>
:root{color-scheme:light dark;--line:#8884;--bad:#c62828;--good:#2e7d32;--wait:#9a6700}
@media(prefers-color-scheme:dark){:root{--bad:#ff8a80;--good:#81c784;--wait:#ffd54f}}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}h1{font-size:1.3rem;margin:0 0 .5rem}
ul{list-style:none;margin:0;padding:0}li{border-top:1px solid var(--line);padding:.4rem 0;overflow-wrap:anywhere}
.session{padding-left:1rem;font-size:.9rem}.ready{color:var(--good)}.over,.waiting{opacity:.7}
.starting,.stopping,.backing_off{color:var(--wait)}.bad{color:var(--bad)}.note{font-size:.9rem;opacity:.8}
</style></head><body>"#;

impl Status {
    /// JSON for programs. Durations are in milliseconds.
    pub(crate) fn to_json(&self, numbers: &Numbers) -> String {
        let services: Vec<_> = self.services.iter().map(service_json).collect();
        let sessions: Vec<_> = self.sessions.iter().map(session_json).collect();
        format!(
            "{{\"phase\":{},\"ready\":{},\"blocked_threads\":{},\"stop\":{},\"services\":[{}],\"sessions\":[{}]}}\n",
            Json(word_of(numbers.phase)),
            numbers.ready,
            numbers.blocked_threads,
            stop_json(numbers),
            services.join(","),
            sessions.join(","),
        )
    }

    /// A page for a browser.
    pub(crate) fn to_html(&self, numbers: &Numbers) -> String {
        let mut page = String::from(HEAD);
        let class = if numbers.ready { "ready" } else { "starting" };
        let _ = write!(page, "<h1 class=\"{class}\">{}</h1>", headline(numbers));
        if let Some((requested, ends)) = numbers.stop {
            let left = Rounded(ends.saturating_duration_since(tokio::time::Instant::now()));
            let _ = write!(page, "<p>stopping for {}, {left} left", Rounded(requested.elapsed()));
            if let Some(waiting) = &numbers.waiting {
                let _ = write!(page, "<br>{}", Html(waiting));
            }
            page.push_str("</p>");
        }
        if numbers.blocked_threads > 0 {
            let _ = write!(page, "<p class=\"bad\">blocked threads: {}</p>", numbers.blocked_threads);
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
        Phase::SettingUp => "Setting up",
        Phase::Running if numbers.ready => "Ready",
        Phase::Running => "Not ready",
        Phase::DrainDelay => "Draining: everything still serves",
        Phase::Stopping(_) => "Stopping",
        Phase::TearingDown => "Tearing down",
        Phase::Flushing => "Flushing",
        Phase::Finished => "Stopped",
    }
}

fn row(page: &mut String, sessions: &SessionStatus) {
    let _ = write!(page, "<li class=\"session\">{}</li>", Html(&sessions.to_string()));
}

fn stop_json(numbers: &Numbers) -> String {
    let Some((requested, ends)) = numbers.stop else { return "null".to_owned() };
    let left = ends.saturating_duration_since(tokio::time::Instant::now()).as_millis();
    let waiting = numbers.waiting.as_deref().map_or("null".to_owned(), |waiting| Json(waiting).to_string());
    format!("{{\"for_ms\":{},\"left_ms\":{left},\"waiting\":{waiting}}}", requested.elapsed().as_millis())
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
