//! Rolling updates of the tracker behind HAProxy and nginx, under a load that never retries.
//!
//! The balancers retry nothing that could have reached a server.
#![cfg(unix)]

mod haproxy;
mod nginx;
mod replaced;

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use canstop_managers::{Daemon, Service, free_port};
use canstop_tests::Signal;
use canstop_tests::load::{Connections, Load, Tally};

const TRACKER: &str = env!("CARGO_BIN_EXE_managed_tracker");
/// Longer than a balancer takes to see that a server is not ready.
const DRAIN_DELAY: &str = "1s";
/// The clients that keep their connections, and as many that do not.
const CLIENTS: usize = 8;
const PAUSE: Duration = Duration::from_millis(5);
/// How often a control may succeed by luck.
const CONTROL_ROUNDS: usize = 30;

/// A tracker behind the balancer, and its process.
struct Instance {
    service: Service,
    health: String,
    starts: usize,
    process: Option<Daemon>,
}

impl Instance {
    fn start(drain_delay: Option<&str>) -> Self {
        let health = free_port().to_string();
        let mut variables = vec![("CANSTOP_HEALTH", &*health)];
        variables.extend(drain_delay.map(|delay| ("CANSTOP_DRAIN_DELAY", delay)));
        let service = Service::new(TRACKER, &[], &variables);
        let mut instance = Self { service, health, starts: 0, process: None };
        instance.start_process();
        instance
    }

    fn start_process(&mut self) {
        self.process = Some(self.service.start());
        self.starts += 1;
        self.service.wait_for("listening on", self.starts);
    }

    fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.signal(Signal::Terminate);
        let status = process.wait();
        assert_eq!(status.code(), Some(0), "{}", self.service.log());
    }
}

/// Two trackers.
struct Site([Instance; 2]);

impl Site {
    fn start(drain_delay: Option<&str>) -> Self {
        Self([(); 2].map(|()| Instance::start(drain_delay)))
    }

    /// Replaces one instance after the other.
    fn update(&mut self, balancer: &impl Balancer) {
        for (number, instance) in self.0.iter_mut().enumerate() {
            instance.stop();
            instance.start_process();
            balancer.wait_until_up(number);
        }
    }

    /// Stops both, and returns those of these events that are in neither database.
    fn lost(mut self, created: Vec<String>) -> Vec<String> {
        self.0.iter_mut().fold(created, |missing, instance| {
            instance.stop();
            instance.service.events.missing(&missing)
        })
    }
}

/// A balancer in front of two trackers. Dropped, it ends.
trait Balancer {
    /// Where it listens.
    fn address(&self) -> std::net::SocketAddr;
    /// Waits until it sends requests to a tracker that has started.
    fn wait_until_up(&self, number: usize);
}

/// Clients of both kinds.
struct Clients([Load; 2]);

impl Clients {
    fn start(balancer: &impl Balancer) -> Self {
        let connections = [Connections::OneEach, Connections::KeepAlive];
        Self(connections.map(|connections| Load::post_events(balancer.address(), CLIENTS, connections, PAUSE)))
    }

    fn wait_for(&self, more: u64) {
        self.0.iter().for_each(|load| load.wait_for(more));
    }

    fn have_failures(&self) -> bool {
        self.0.iter().any(Load::has_failures)
    }

    fn finish(self) -> Vec<Tally> {
        self.0.map(Load::finish).into()
    }
}

/// Two updates under load: no request fails, and no acknowledged event is lost.
#[track_caller]
fn fails_no_request(balancer: &impl Balancer, mut site: Site) {
    let clients = Clients::start(balancer);
    clients.wait_for(100);
    for _ in 0..2 {
        site.update(balancer);
    }
    clients.wait_for(100);
    let tallies = clients.finish();
    for tally in &tallies {
        println!("{tally}");
        assert_eq!(tally.failed(), 0, "{tally}");
    }
    let created = tallies.into_iter().flat_map(|tally| tally.created).collect();
    assert_eq!(site.lost(created), Vec::<String>::new());
}

/// The same is not so: a request fails in one of some updates. Acknowledged events are not lost either way.
#[track_caller]
fn fails_requests(balancer: &impl Balancer, mut site: Site) {
    let clients = Clients::start(balancer);
    clients.wait_for(100);
    for _ in 0..CONTROL_ROUNDS {
        site.update(balancer);
        if clients.have_failures() {
            break;
        }
    }
    let tallies = clients.finish();
    tallies.iter().for_each(|tally| println!("control: {tally}"));
    assert!(tallies.iter().any(|tally| tally.failed() > 0), "the control must fail");
    let created = tallies.into_iter().flat_map(|tally| tally.created).collect();
    assert_eq!(site.lost(created), Vec::<String>::new());
}

/// Starts a balancer in the foreground. What it writes goes to a log in this folder.
fn start_balancer(command: &mut Command, folder: &Path) -> Daemon {
    let log = File::create(folder.join("balancer.log")).expect("a file");
    Daemon::start(command.stdout(log.try_clone().expect("a file")).stderr(log))
}
