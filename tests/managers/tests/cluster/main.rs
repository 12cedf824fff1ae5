//! A rolling update of the tracker in a swarm of two nodes, under a load that never retries.
//!
//! The nodes are two Docker engines on this machine, each in a network namespace of its own. It needs root, and runs with
//! `CANSTOP_MANAGERS=all` only.
#![cfg(target_os = "linux")]

mod swarm;

use std::fs;
use std::process::{Child, Command, Stdio};

use canstop_managers::{Daemon, Events, HAPROXY_DEFAULTS, eventually, is_installed, runs_all};

use crate::swarm::Swarm;

const LOAD: &str = env!("CARGO_BIN_EXE_load_tracker");
/// Where HAProxy listens, in the network of the services.
const ADDRESS: &str = "127.0.0.1:9090";
/// The clients of each kind.
const CLIENTS: &str = "8";

/// How HAProxy learns that a task has ended.
enum Learns {
    /// By its readiness, or by its name, which Docker takes away before it sends the signal.
    InTime,
    /// By its name only, and keeps that for five seconds.
    Late,
}

/// Starts a swarm, if everything that it needs is there.
fn start() -> Option<Swarm> {
    let packages = [
        ("docker.io", &["dockerd", "docker"][..]),
        ("haproxy", &["haproxy"]),
        ("iproute2", &["ip"]),
        ("util-linux", &["nsenter", "unshare"]),
        ("curl", &["curl"]),
    ];
    let is_here = runs_all() && packages.iter().all(|(package, programs)| is_installed(package, programs));
    is_here.then(Swarm::start)
}

/// HAProxy in the network of the services. It finds them by Docker's names, and retries nothing.
fn start_balancer(swarm: &Swarm, learns: Learns) -> Daemon {
    // HAProxy looks up the names only of servers that it checks.
    let (keeps, checks) = match learns {
        Learns::InTime => ("1s", "check port 9000 inter 200ms"),
        Learns::Late => ("5s", "check port 9000 inter 1m"),
    };
    let conf = format!(
        "{HAPROXY_DEFAULTS}\
         resolvers docker\n\
         \x20 nameserver dns 127.0.0.11:53\n\
         \x20 timeout resolve 300ms\n\
         \x20 timeout retry 200ms\n\
         \x20 hold valid 300ms\n\
         \x20 hold obsolete {keeps}\n\
         listen site\n\
         \x20 bind {ADDRESS}\n\
         \x20 balance roundrobin\n\
         \x20 option httpchk GET /readyz\n\
         \x20 default-server fall 1 rise 1 resolvers docker init-addr none\n\
         \x20 server-template s 8 tasks.web:8080 {checks}\n"
    );
    let path = swarm.folder().join("haproxy.conf");
    fs::write(&path, conf).expect("a file");
    let mut command = swarm.inside("haproxy");
    let balancer = Daemon::start(command.arg("-db").arg("-f").arg(path).stdout(Stdio::null()).stderr(Stdio::null()));
    let asks = || {
        let mut curl = swarm.inside("curl");
        let curl = curl.args(["--fail", "--silent", "--output", "/dev/null"]).arg(format!("http://{ADDRESS}/stats"));
        curl.status().is_ok_and(|status| status.success())
    };
    assert!(eventually(asks), "no task is ready behind HAProxy");
    balancer
}

/// Clients that post events until they are stopped.
struct Clients(Child);

/// What became of the events of an update.
struct Update {
    text: String,
    has_failures: bool,
    created: Vec<String>,
}

impl Clients {
    fn start(swarm: &Swarm) -> Self {
        let ids = swarm.folder().join("ids");
        let mut command: Command = swarm.inside(LOAD);
        command.args([ADDRESS, CLIENTS]).arg(ids).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(command.spawn().expect("the program was built with this test"))
    }

    /// Ends the input of the clients, which ends them.
    fn finish(self, swarm: &Swarm) -> Update {
        let output = self.0.wait_with_output().expect("it is a child");
        let created = fs::read_to_string(swarm.folder().join("ids")).expect("the clients write it at their end");
        Update {
            text: String::from_utf8_lossy(&output.stdout).into_owned(),
            has_failures: !output.status.success(),
            created: created.lines().map(str::to_owned).collect(),
        }
    }
}

/// Updates the service under load. Docker's command ends when every task is replaced and healthy.
fn update(swarm: &Swarm, options: &[&str]) -> Update {
    let clients = Clients::start(swarm);
    swarm.update(options);
    clients.finish(swarm)
}

#[test]
fn a_rolling_update_of_a_swarm_fails_no_request() {
    let Some(swarm) = start() else { return };
    swarm.deploy(4);
    let balancer = start_balancer(&swarm, Learns::InTime);
    let mut created = Vec::new();
    for image in ["tracker:2", "tracker:1"] {
        let update = update(&swarm, &["--image", image]);
        println!("{image}\n{}", update.text);
        assert!(!update.has_failures, "{}", update.text);
        created.extend(update.created);
    }
    assert!(!created.is_empty(), "no event was accepted");

    drop(balancer);
    let _late = start_balancer(&swarm, Learns::Late);
    let control = update(&swarm, &["--image", "tracker:2"]);
    println!("control\n{}", control.text);
    assert!(control.has_failures, "the control must fail");
    created.extend(control.created);

    swarm.remove();
    let lost = swarm.databases().into_iter().fold(created, |missing, file| Events::new(file).missing(&missing));
    assert_eq!(lost, Vec::<String>::new(), "acknowledged events");
}
