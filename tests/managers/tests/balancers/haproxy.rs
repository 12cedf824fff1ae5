//! HAProxy, which checks the health of the trackers.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use canstop_examples::ScratchFolder;
use canstop_managers::{Daemon, HAPROXY_DEFAULTS, command, eventually, free_port, is_installed};

use crate::{Balancer, DRAIN_DELAY, Site, fails_no_request, fails_requests, start_balancer};

pub(crate) struct Haproxy {
    address: SocketAddr,
    socket: PathBuf,
    _process: Daemon,
    _folder: ScratchFolder,
}

/// How HAProxy learns whether a tracker may get requests.
#[derive(Clone, Copy)]
enum Check {
    /// By `/readyz` of canstop's probes.
    Ready,
    /// By connecting to the port that serves.
    Connect,
}

pub(crate) const PACKAGE: &str = "haproxy";
pub(crate) const PROGRAMS: &[&str] = &["haproxy"];

impl Haproxy {
    fn before(site: &Site, check: Check) -> Self {
        let servers = site.0.iter().map(|instance| {
            let address = instance.service.address;
            match check {
                Check::Ready => format!("{address} check addr 127.0.0.1 port {}", port_of(&instance.health)),
                Check::Connect => format!("{address} check"),
            }
        });
        let check = match check {
            Check::Ready => "option httpchk GET /readyz",
            Check::Connect => "option tcp-check",
        };
        Self::start(check, servers)
    }

    /// Starts it before these servers, with this option in their section.
    pub(crate) fn start(option: &str, servers: impl Iterator<Item = String>) -> Self {
        let folder = ScratchFolder::new_in(std::env::temp_dir());
        let (address, socket) = (free_port(), folder.path().join("socket"));
        let servers: String =
            servers.enumerate().map(|(number, server)| format!("  server s{number} {server}\n")).collect();
        let conf = format!(
            "global\n\
             \x20 stats socket {}\n\
             {HAPROXY_DEFAULTS}\
             listen site\n\
             \x20 bind {address}\n\
             \x20 balance roundrobin\n\
             \x20 {option}\n\
             \x20 default-server inter 200ms fall 1 rise 1\n\
             {servers}",
            socket.display()
        );
        let path = folder.path().join("conf");
        fs::write(&path, conf).expect("a file");
        let process = start_balancer(command("haproxy").arg("-db").arg("-f").arg(path), folder.path());
        assert!(eventually(|| state(&socket).is_some()), "HAProxy does not start");
        Self { address, socket, _process: process, _folder: folder }
    }
}

fn port_of(address: &str) -> u16 {
    address.parse::<SocketAddr>().expect("an address").port()
}

/// HAProxy's table of its servers.
fn state(socket: &Path) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.write_all(b"show stat\n").ok()?;
    let mut table = String::new();
    stream.read_to_string(&mut table).ok()?;
    Some(table)
}

impl Balancer for Haproxy {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait_until_up(&self, number: usize) {
        let line = format!("site,s{number},");
        let is_up = || {
            let table = state(&self.socket)?;
            let status = table.lines().find(|row| row.starts_with(&line))?.split(',').nth(17)?;
            Some(status == "UP" || status == "no check")
        };
        assert!(eventually(|| is_up() == Some(true)), "{:?}", state(&self.socket));
    }
}

#[test]
fn a_rolling_update_behind_haproxy_fails_no_request() {
    if is_installed(PACKAGE, PROGRAMS) {
        let site = Site::start(Some(DRAIN_DELAY));
        fails_no_request(&Haproxy::before(&site, Check::Ready), site);

        // Without a drain delay a tracker has ended before HAProxy learns that it is not ready.
        let site = Site::start(None);
        fails_requests(&Haproxy::before(&site, Check::Ready), site);

        // Without readiness HAProxy does not learn of the stop before the tracker's port is closed.
        let site = Site::start(Some(DRAIN_DELAY));
        fails_requests(&Haproxy::before(&site, Check::Connect), site);
    }
}
