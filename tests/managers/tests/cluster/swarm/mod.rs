//! A swarm of two nodes, which are two Docker engines.

mod engines;

use std::fs;
use std::process::Stdio;

use canstop_managers::{Daemon, HAPROXY_DEFAULTS, is_installed, runs_all};

use self::engines::Swarm;
use crate::clients::{Clients, LOAD, Update, lost, wait_until_served};

/// Where HAProxy listens, in the network of the services.
const ADDRESS: &str = "127.0.0.1:9090";

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
    wait_until_served(swarm.inside("curl"), ADDRESS);
    balancer
}

/// Updates the service under load. Docker's command ends when every task is replaced and healthy.
fn update(swarm: &Swarm, options: &[&str]) -> Update {
    let clients = Clients::start(swarm.inside(LOAD), ADDRESS, swarm.folder());
    swarm.update(options);
    clients.finish()
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

    drop(balancer);
    let _late = start_balancer(&swarm, Learns::Late);
    let control = update(&swarm, &["--image", "tracker:2"]);
    println!("control\n{}", control.text);
    assert!(control.has_failures, "the control must fail");
    created.extend(control.created);

    swarm.remove();
    assert_eq!(lost(created, &swarm.data()), Vec::<String>::new(), "acknowledged events");
}
