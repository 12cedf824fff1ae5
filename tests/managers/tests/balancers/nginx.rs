//! nginx, which checks nothing: it learns from a refused connection, and tries the next tracker.

use std::fs;
use std::net::{SocketAddr, TcpStream};

use canstop_examples::ScratchFolder;
use canstop_managers::{Daemon, command, eventually, free_port, is_installed};

use crate::{Balancer, DRAIN_DELAY, Site, fails_no_request, fails_requests, start_balancer};

struct Nginx {
    address: SocketAddr,
    _process: Daemon,
    _folder: ScratchFolder,
}

impl Nginx {
    /// nginx, with its default for when it tries the next server, or with another one.
    fn before(site: &Site, next_upstream: &str) -> Self {
        let folder = ScratchFolder::new_in(std::env::temp_dir());
        let (address, path) = (free_port(), folder.path().display().to_string());
        let servers: String =
            site.0.iter().map(|instance| format!("server {} max_fails=0; ", instance.service.address)).collect();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {path}/{kind}; "))
            .concat();
        let conf = format!(
            "daemon off; worker_processes 1; pid {path}/pid; error_log stderr;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n\
               access_log off; {temporary}\n\
               upstream site {{ {servers} keepalive 16; }}\n\
               server {{\n\
                 listen {address};\n\
                 location / {{\n\
                   proxy_pass http://site; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
                   proxy_next_upstream {next_upstream};\n\
                 }}\n\
               }}\n\
             }}\n"
        );
        let file = folder.path().join("conf");
        fs::write(&file, conf).expect("a file");
        let process = start_balancer(command("nginx").arg("-c").arg(file), folder.path());
        assert!(eventually(|| TcpStream::connect(address).is_ok()), "nginx does not start");
        Self { address, _process: process, _folder: folder }
    }
}

impl Balancer for Nginx {
    fn address(&self) -> SocketAddr {
        self.address
    }

    /// With `max_fails=0` it never takes a server out.
    fn wait_until_up(&self, _number: usize) {}
}

#[test]
fn a_rolling_update_behind_nginx_fails_no_request() {
    if is_installed("nginx-light", &["nginx"]) {
        let site = Site::start(Some(DRAIN_DELAY));
        fails_no_request(&Nginx::before(&site, "error timeout"), site);

        // Without another try a refused connection is a failed request.
        let site = Site::start(Some(DRAIN_DELAY));
        fails_requests(&Nginx::before(&site, "off"), site);
    }
}
