//! Prometheus' text format.

use std::fmt::{self, Write as _};

use super::metrics::{Labels, Metrics, Values};

/// A label's value. The text format escapes backslashes, quotes and line breaks.
struct Label<'a>(&'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                character => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// The labels of a sample, in braces if there are any.
struct Braces<'a>(&'a Labels);

impl fmt::Display for Braces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (name, value)) in self.0.iter().enumerate() {
            write!(f, "{}{name}=\"{}\"", if number == 0 { "{" } else { "," }, Label(value))?;
        }
        if self.0.is_empty() { Ok(()) } else { f.write_str("}") }
    }
}

/// Prometheus' text format.
impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for family in self.families() {
            let (name, kind) = (family.name, family.values.kind());
            writeln!(f, "# HELP {name} {}\n# TYPE {name} {kind}", family.help)?;
            match family.values {
                Values::Counter(samples) => {
                    samples.iter().try_for_each(|(labels, value)| writeln!(f, "{name}{} {value}", Braces(labels)))?;
                }
                Values::Gauge(samples) => {
                    samples.iter().try_for_each(|(labels, value)| writeln!(f, "{name}{} {value}", Braces(labels)))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use super::*;
    use crate::machine::{Location, ServiceState};
    use crate::observe::metrics::{AcceptQueueMetrics, RequestMetrics, services, sessions};
    use crate::observe::{ServiceStatus, SessionStatus, Status};
    use crate::session::Supervisor;

    const HERE: Location = Location { file: "src/main.rs", line: 3 };

    fn service(name: &str, state: ServiceState, restarts: u32) -> ServiceStatus {
        let name = name.to_owned();
        ServiceStatus { name, location: HERE, state, since: Duration::ZERO, restarts, last_error: None }
    }

    fn session(owner: Option<&str>, count: u64) -> SessionStatus {
        let owner = owner.map(str::to_owned);
        SessionStatus {
            name: None,
            location: HERE,
            function: "f",
            owner,
            count,
            oldest: None,
            request: None,
            label: None,
        }
    }

    fn metrics(status: &Status) -> Metrics {
        let (supervisor, _inbox) = Supervisor::new();
        Metrics {
            services: services(status),
            sessions: sessions(status),
            requests: vec![RequestMetrics { service: Some("http".into()), route: Some("GET /".into()), running: 2 }],
            accept_queues: vec![AcceptQueueMetrics { listener: "public".into(), waiting: 5 }],
            sessions_started: 9,
            sessions_finished: 6,
            sessions_failed: 1,
            blocked_threads: 2,
            stall: Duration::from_millis(250),
            phase: "running",
            ..Metrics::of(supervisor)
        }
    }

    /// Parses the text format strictly: families with help and type before their samples, each sample once.
    fn parse(text: &str) -> BTreeMap<String, f64> {
        let mut samples = BTreeMap::new();
        let mut typed = BTreeSet::new();
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.split(' ');
                let (kind, name) = (words.next().unwrap(), words.next().unwrap());
                match kind {
                    "HELP" => assert!(words.next().is_some(), "{line}"),
                    "TYPE" => {
                        let kind = words.next().unwrap();
                        assert!(["gauge", "counter"].contains(&kind), "{line}");
                        assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                        assert!(typed.insert(name.to_owned()), "{line} comes twice");
                    }
                    other => panic!("{other}"),
                }
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            assert!(typed.contains(name), "{line} has no type");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
            let mut rest = labels.strip_suffix('}').unwrap();
            while !rest.is_empty() {
                let (label, after) = rest.split_once("=\"").unwrap();
                assert!(label.chars().all(|c| c.is_ascii_lowercase()), "{line}");
                let end = {
                    let mut escaped = false;
                    after.char_indices().find(|&(_, c)| {
                        let ends = c == '"' && !escaped;
                        escaped = c == '\\' && !escaped;
                        ends
                    })
                };
                rest = after[end.unwrap().0 + 1..].trim_start_matches(',');
            }
            assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{line} comes twice");
        }
        samples
    }

    #[test]
    fn the_text_is_in_prometheus_format() {
        let services = vec![service("ht\"t\\p\n", ServiceState::Ready, 2)];
        let samples = parse(&metrics(&Status { services, sessions: vec![session(None, 3)] }).to_string());
        assert_eq!(samples[r#"canstop_service_state{service="ht\"t\\p\n",state="ready"}"#], 1.0);
        assert_eq!(samples[r#"canstop_service_state{service="ht\"t\\p\n",state="over"}"#], 0.0);
        assert_eq!(samples[r#"canstop_service_restarts_total{service="ht\"t\\p\n"}"#], 2.0);
        assert_eq!(samples[r#"canstop_sessions{service="",site="src/main.rs:3"}"#], 3.0);
        assert_eq!(samples["canstop_sessions_started_total"], 9.0);
        assert_eq!(samples["canstop_stall_seconds"], 0.25);
        assert_eq!(samples[r#"canstop_phase{phase="running"}"#], 1.0);
    }

    #[test]
    fn ten_thousand_children_add_no_series() {
        let mut status = Status { services: vec![service("tenants", ServiceState::Ready, 0)], sessions: Vec::new() };
        let before = parse(&metrics(&status).to_string()).len();
        for child in 0..10_000 {
            let name = format!("tenants/{child}");
            status.sessions.push(session(Some(&name), 1));
            status.services.push(service(&name, ServiceState::BackingOff, 1));
        }
        let samples = parse(&metrics(&status).to_string());
        assert_eq!(samples.len(), before + 1, "their one site");
        assert_eq!(samples[r#"canstop_service_restarts_total{service="tenants"}"#], 10_000.0);
        assert_eq!(samples[r#"canstop_sessions{service="tenants",site="src/main.rs:3"}"#], 10_000.0);
    }
}
