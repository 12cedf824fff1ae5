//! The status page as a browser shows it. Without a Chromium these tests print so and check nothing.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use canstop_tests::http::{free_address, get, wait_for_code};
use canstop_tests::{Audience, Probe, READY, Signal};

/// A headless browser that sends requests to the program only.
struct Browser(&'static str);

impl Browser {
    fn find() -> Option<Self> {
        let runs = |name: &&str| {
            Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        };
        let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(runs);
        if found.is_none() {
            println!("skipped: there is no chromium");
        }
        found.map(Self)
    }

    /// The text of the page's body, line by line as its elements end.
    fn text(&self, address: SocketAddr) -> String {
        let directory = std::env::temp_dir().join(format!("canstop-browser-{}", std::process::id()));
        let output = Command::new(self.0)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", directory.display()))
            .arg("--dump-dom")
            .arg(format!("http://{address}/status"))
            .stderr(Stdio::null())
            .output()
            .expect("it has a version, so it runs");
        let _ = fs::remove_dir_all(&directory);
        let page = String::from_utf8(output.stdout).expect("a page is UTF-8");
        let (_, body) = page.split_once("<body>").unwrap_or_else(|| panic!("no page: {page}"));
        let mut text = String::new();
        for piece in body.split('<') {
            let (tag, after) = piece.split_once('>').unwrap_or(("", piece));
            if ["/p", "/li", "/h1", "br"].contains(&tag) {
                text.push('\n');
            }
            text.push_str(after);
        }
        text
    }
}

/// The program's page, after the answer of `/status.json` contains this.
fn shown(browser: &Browser, address: SocketAddr, part: &str) -> String {
    while !get(address, "/status.json").expect("it is answered").body.contains(part) {}
    browser.text(address)
}

#[test]
fn a_browser_shows_blocked_threads_and_the_steps_of_a_stop() {
    let Some(browser) = Browser::find() else { return };
    let health = free_address();
    let address = health.to_string();
    let variables = [
        ("CANSTOP_HEALTH", address.as_str()),
        ("CANSTOP_STATUS", "on"),
        ("CANSTOP_STALL", "1s"),
        ("CANSTOP_BLOCKED", "300ms"),
        // A browser may take its time to start.
        ("CANSTOP_GRACE", "60s"),
        ("CANSTOP_DRAIN_DELAY", "200ms"),
    ];
    let probe = Probe::start_in(Audience::Listens, env!("CARGO_BIN_EXE_seen"), &["blocks"], &variables);
    let mut probe = probe.patiently(Duration::from_secs(120));
    probe.wait_for_line(READY);
    wait_for_code(health, "/readyz", 200);
    let text = browser.text(health);
    assert!(text.starts_with("Ready\n"), "{text}");
    assert!(text.contains("blocks ready for "), "{text}");
    assert!(!text.contains("waiting for"), "{text}");

    probe.say("block");
    wait_for_code(health, "/livez", 503);
    let text = browser.text(health);
    assert!(text.starts_with("Not ready\n"), "{text}");
    let blocking =
        text.lines().find(|line| line.contains(" blocks 2 threads for ")).unwrap_or_else(|| panic!("{text}"));
    assert!(blocking.starts_with("session `stuck` of service `blocks` (tests/src/bin/seen.rs:"), "{text}");

    probe.signal(Signal::Terminate);
    let text = shown(&browser, health, r#""progress":"current""#);
    let text = if text.starts_with("Stopping\n") { text } else { shown(&browser, health, r#""phase":"stopping""#) };
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "Stopping", "{text}");
    assert!(lines[1].starts_with("stopping for ") && lines[1].ends_with(" left"), "{text}");
    assert_eq!(lines[2..4], ["drain delay", "blocks"], "{text}");
    assert!(
        lines[4].starts_with("waiting for service `blocks`, 3 sessions, ") && lines[4].ends_with(" left"),
        "{text}"
    );
    assert!(text.contains("blocks stopping for "), "{text}");

    probe.signal(Signal::Terminate);
    probe.finish().exited(143);
}
