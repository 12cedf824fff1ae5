//! The part of HTTP/1 that a probe needs: parsing a request's head, and writing a complete response.

use crate::machine::{Answer, Probe};

/// Longer heads are refused.
pub(super) const HEAD_LIMIT: usize = 8 * 1_024;

/// The requested page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    Probe(Probe),
    Status(Format),
    Metrics,
}

/// The format of the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    Html,
}

/// A parsed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) page: Page,
    /// `HEAD`: the response without its body.
    pub(super) head_only: bool,
}

/// Responses that need nothing from the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    BadRequest,
    NotFound,
    MethodNotAllowed,
    TooLong,
    Timeout,
}

/// Returns true if a head is complete.
pub(super) fn is_complete(head: &[u8]) -> bool {
    head.windows(4).any(|four| four == b"\r\n\r\n") || head.windows(2).any(|two| two == b"\n\n")
}

/// Parses the head of a request.
pub(super) fn understand(head: &[u8]) -> Result<Request, Refusal> {
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| Refusal::BadRequest)?.trim_end_matches('\r');
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::BadRequest);
    };
    if !version.starts_with("HTTP/1.") || method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(Refusal::BadRequest);
    }
    let page = page(path_of(target), head).ok_or(Refusal::NotFound)?;
    match method {
        "GET" => Ok(Request { page, head_only: false }),
        "HEAD" => Ok(Request { page, head_only: true }),
        _ => Err(Refusal::MethodNotAllowed),
    }
}

/// The path of a target, which may be a whole URL and may have a query.
fn path_of(target: &str) -> &str {
    let target = match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("/", |at| &rest[at..]),
        _ => target,
    };
    target.split('?').next().unwrap_or_default()
}

fn page(path: &str, head: &[u8]) -> Option<Page> {
    Some(match path {
        "/livez" | "/live" => Page::Probe(Probe::Live),
        "/readyz" | "/ready" => Page::Probe(Probe::Ready),
        "/startupz" | "/startup" => Page::Probe(Probe::Startup),
        "/status" => Page::Status(format(head)),
        "/status.json" => Page::Status(Format::Json),
        "/metrics" => Page::Metrics,
        _ => return None,
    })
}

/// Browsers accept HTML, programs JSON; `curl` accepts anything, and gets text.
fn format(head: &[u8]) -> Format {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let accept = head.lines().find_map(|line| line.strip_prefix("accept:")).unwrap_or_default();
    if accept.contains("text/html") {
        Format::Html
    } else if accept.contains("json") {
        Format::Json
    } else {
        Format::Text
    }
}

/// A complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    status: &'static str,
    content_type: &'static str,
    /// Header lines that only some responses have.
    extra: &'static str,
    body: String,
}

impl Response {
    /// The response to a probe. It only contains the kind of reason.
    pub(super) fn of_probe(answer: &Answer) -> Self {
        let (status, body) = match answer {
            Ok(()) => ("200 OK", r#"{"status":"ok"}"#.to_owned()),
            Err(unready) => {
                ("503 Service Unavailable", format!(r#"{{"status":"unready","reason":"{}"}}"#, unready.word()))
            }
        };
        Self { status, content_type: "application/json", extra: "", body }
    }

    pub(super) fn of_page(content_type: &'static str, body: String) -> Self {
        Self { status: "200 OK", content_type, extra: "", body }
    }

    pub(super) fn of_refusal(refusal: Refusal) -> Self {
        let (status, extra) = match refusal {
            Refusal::BadRequest => ("400 Bad Request", ""),
            Refusal::NotFound => ("404 Not Found", ""),
            Refusal::MethodNotAllowed => ("405 Method Not Allowed", "allow: GET, HEAD\r\n"),
            Refusal::TooLong => ("431 Request Header Fields Too Large", ""),
            Refusal::Timeout => ("408 Request Timeout", ""),
        };
        Self { status, content_type: "text/plain", extra, body: format!("{}\n", &status[4..]) }
    }

    pub(super) fn into_bytes(self, head_only: bool) -> Vec<u8> {
        let Self { status, content_type, extra, body } = self;
        let length = body.len();
        let mut text = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\ncache-control: no-store\r\n\
             x-content-type-options: nosniff\r\n{extra}connection: close\r\n\r\n"
        );
        if !head_only {
            text.push_str(&body);
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Unready;

    fn understood(head: &str) -> Result<Page, Refusal> {
        understand(head.as_bytes()).map(|request| request.page)
    }

    #[test]
    fn each_path_has_its_page() {
        for (path, page) in [
            ("/livez", Page::Probe(Probe::Live)),
            ("/live", Page::Probe(Probe::Live)),
            ("/readyz", Page::Probe(Probe::Ready)),
            ("/ready", Page::Probe(Probe::Ready)),
            ("/startupz", Page::Probe(Probe::Startup)),
            ("/startup?verbose=1", Page::Probe(Probe::Startup)),
            ("http://localhost:9000/livez", Page::Probe(Probe::Live)),
            ("/metrics", Page::Metrics),
            ("/status", Page::Status(Format::Text)),
            ("/status.json", Page::Status(Format::Json)),
        ] {
            assert_eq!(understood(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")), Ok(page), "{path}");
        }
        for path in ["/", "/livez/", "/LIVEZ", "//livez", "/healthz", "livez", "*"] {
            assert_eq!(understood(&format!("GET {path} HTTP/1.0\r\n\r\n")), Err(Refusal::NotFound), "{path}");
        }
    }

    #[test]
    fn the_status_has_the_requested_format() {
        for (accept, format) in [
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Html),
            ("application/json", Format::Json),
        ] {
            let head = format!("GET /status HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n");
            assert_eq!(understood(&head), Ok(Page::Status(format)), "{accept}");
        }
    }

    #[test]
    fn only_get_and_head_are_answered() {
        assert!(understand(b"HEAD /livez HTTP/1.1\r\n\r\n").unwrap().head_only);
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT"] {
            let head = format!("{method} /livez HTTP/1.1\r\n\r\n");
            assert_eq!(understood(&head), Err(Refusal::MethodNotAllowed), "{method}");
        }
    }

    #[test]
    fn invalid_requests_are_refused() {
        for head in [
            &b""[..],
            b"\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET /livez\r\n\r\n",
            b"GET  /livez HTTP/1.1\r\n\r\n",
            b"GET /livez HTTP/1.1 x\r\n\r\n",
            b"GET /livez HTTP/2.0\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"get /livez HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n",
            b"GET /\xff HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(understand(head), Err(Refusal::BadRequest), "{:?}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn a_response_is_complete_and_names_only_its_reason() {
        let bytes = Response::of_probe(&Ok(())).into_bytes(false);
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n"),
            "{text}"
        );
        assert!(text.ends_with("connection: close\r\n\r\n{\"status\":\"ok\"}"), "{text}");
        let held = Err(Unready::Held("the customer's name".to_owned()));
        let text = String::from_utf8(Response::of_probe(&held).into_bytes(false)).unwrap();
        assert!(text.ends_with(r#"{"status":"unready","reason":"held"}"#), "{text}");
        let text = String::from_utf8(Response::of_probe(&held).into_bytes(true)).unwrap();
        assert!(text.contains("content-length: 36\r\n") && text.ends_with("\r\n\r\n"), "{text}");
        let text = String::from_utf8(Response::of_refusal(Refusal::MethodNotAllowed).into_bytes(false)).unwrap();
        assert!(text.starts_with("HTTP/1.1 405 ") && text.contains("\r\nallow: GET, HEAD\r\n"), "{text}");
    }

    #[test]
    fn a_head_ends_with_an_empty_line() {
        assert!(is_complete(b"GET / HTTP/1.1\r\n\r\n") && is_complete(b"GET / HTTP/1.1\n\n"));
        assert!(!is_complete(b"GET / HTTP/1.1\r\nHost: x\r\n") && !is_complete(b""));
    }
}
