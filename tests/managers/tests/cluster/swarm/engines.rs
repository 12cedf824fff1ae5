//! Two Docker engines that are the nodes of one swarm.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use canstop_examples::ScratchFolder;
use canstop_managers::{Daemon, eventually};

use crate::image::make_image;
use crate::shell::{output, run};

const TRACKER: &str = env!("CARGO_BIN_EXE_managed_tracker");
const SERVICE: &str = "web";
/// The container whose network the balancer and the clients use.
const EDGE: &str = "edge";

/// Dropped, it leaves no container, no process and no network namespace.
pub(crate) struct Swarm {
    nodes: [Node; 2],
    folder: ScratchFolder,
}

/// An engine in a network namespace of its own.
struct Node {
    address: String,
    namespace: String,
    socket: PathBuf,
    engine: Option<Daemon>,
}

impl Node {
    /// Starts the engine. It has names of its own: those of the machine's resolver are not in its network.
    fn start(&mut self, folder: &Path) {
        let Self { namespace, socket, .. } = &*self;
        let path = folder.display();
        let script = format!(
            "hostname {namespace} && : > {path}/resolv && mount --bind {path}/resolv /etc/resolv.conf && exec dockerd \
             --host unix://{} --data-root {path}/root --exec-root {path}/exec --pidfile {path}/pid",
            socket.display()
        );
        let log = File::create(folder.join("log")).expect("a file");
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{namespace}"));
        command.args(["unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", &script]);
        self.engine = Some(Daemon::start(command.stdout(log.try_clone().expect("a file")).stderr(log)));
        let answers = || self.command("info").output().is_ok_and(|output| output.status.success());
        let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(eventually(answers), "no engine answers at {}:\n{}", self.address, log());
    }

    /// A command for the engine, whose words have no spaces.
    fn command(&self, words: &str) -> Command {
        let mut command = Command::new("docker");
        command.arg("--host").arg(format!("unix://{}", self.socket.display())).args(words.split(' '));
        command.stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn docker(&self, words: &str) -> String {
        output(&mut self.command(words))
    }

    fn has_tasks(&self) -> bool {
        !self.docker(&format!("ps --quiet --filter name={SERVICE}.")).is_empty()
    }
}

impl Swarm {
    pub(crate) fn start() -> Self {
        let folder = ScratchFolder::new_in(std::env::temp_dir());
        let id = process::id();
        let nodes = [1, 2].map(|number| {
            let home = folder.path().join(number.to_string());
            fs::create_dir(&home).expect("a folder");
            let (address, socket) = (format!("10.66.0.{number}"), home.join("socket"));
            Node { address, namespace: format!("swarm-{id}-{number}"), socket, engine: None }
        });
        let mut swarm = Self { nodes, folder };
        swarm.connect(id);
        for (number, node) in swarm.nodes.iter_mut().enumerate() {
            node.start(&swarm.folder.path().join((number + 1).to_string()));
        }
        let [manager, worker] = &swarm.nodes;
        manager.docker(&format!("swarm init --advertise-addr {}", manager.address));
        let token = manager.docker("swarm join-token --quiet worker");
        let (own, peer) = (&worker.address, &manager.address);
        worker.docker(&format!("swarm join --advertise-addr {own} --token {token} {peer}:2377"));
        swarm
    }

    /// A cable between two namespaces.
    fn connect(&self, id: u32) {
        let [one, two] = &self.nodes;
        // A name of an interface has at most 15 letters.
        let ends = [format!("sw{id}a"), format!("sw{id}b")];
        for node in &self.nodes {
            run("ip", &format!("netns add {}", node.namespace));
            run("ip", &format!("-n {} link set lo up", node.namespace));
        }
        let (first, second) = (&one.namespace, &two.namespace);
        run("ip", &format!("link add {} netns {first} type veth peer name {} netns {second}", ends[0], ends[1]));
        for (Node { address, namespace, .. }, end) in self.nodes.iter().zip(&ends) {
            run("ip", &format!("-n {namespace} addr add {address}/24 dev {end}"));
            run("ip", &format!("-n {namespace} link set {end} up"));
            run("ip", &format!("-n {namespace} route add default dev {end}"));
        }
    }

    /// Starts the tracker with this many tasks, without any setting of its stop, and waits until all are healthy.
    ///
    /// The image is empty: the machine's own `/usr` and the program are mounted read-only.
    pub(crate) fn deploy(&self, tasks: u32) {
        let image = make_image(self.folder());
        let archive = self.folder().join("image.tar");
        let (from, to) = (image.display(), archive.display());
        run("tar", &format!("--create --file {to} --directory {from} ."));
        for node in &self.nodes {
            let mut import = node.command("import --change");
            output(import.arg("ENTRYPOINT [\"/program\"]").arg(&archive).arg("tracker:1"));
            node.docker("tag tracker:1 tracker:2");
        }
        let [manager, _] = &self.nodes;
        let data = self.data();
        fs::create_dir(&data).expect("a folder");
        manager.docker("network create --driver overlay --attachable app");
        let system = "--mount type=bind,src=/usr,dst=/usr,readonly";
        manager.docker(&format!(
            "run --detach --name {EDGE} --network app {system} --entrypoint /bin/sleep tracker:1 infinity"
        ));
        let mut create = manager.command("service create --quiet --no-resolve-image --endpoint-mode dnsrr");
        create.args(format!("--name {SERVICE} --network app --replicas {tasks} {system}").split(' '));
        create.arg(format!("--mount=type=bind,src={TRACKER},dst=/program,readonly"));
        create.arg(format!("--mount=type=bind,src={},dst=/data", data.display()));
        create.arg("--health-cmd=curl --fail --silent http://127.0.0.1:9000/readyz");
        create.args([
            "--health-interval=500ms",
            "--health-timeout=10s",
            "--health-start-period=60s",
            "--stop-grace-period=10s",
        ]);
        create.args(["--update-order=start-first", "--update-parallelism=2", "--update-delay=300ms"]);
        create.args(["--update-monitor=1s", "--env=LISTEN=0.0.0.0:8080", "--env=CANSTOP_HEALTH=0.0.0.0:9000"]);
        output(create.args(["--env=DATABASE_URL=sqlite:/data/{{.Task.Name}}.db", "tracker:1"]));
    }

    pub(crate) fn update(&self, options: &[&str]) {
        let mut update = self.nodes[0].command("service update --quiet --no-resolve-image");
        output(update.args(options).arg(SERVICE));
    }

    /// Ends the tasks, and waits until they have ended.
    pub(crate) fn remove(&self) {
        self.nodes[0].docker(&format!("service rm {SERVICE}"));
        assert!(eventually(|| !self.nodes.iter().any(Node::has_tasks)), "a task does not end");
    }

    /// A command in the network of the services.
    pub(crate) fn inside(&self, program: &str) -> Command {
        let pid = self.nodes[0].docker(&format!("inspect --format {{{{.State.Pid}}}} {EDGE}"));
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &pid, program]);
        command
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where each task that there was has its database.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder().join("data")
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        // Best effort: a test that fails may have come to any of these points.
        for node in self.nodes.iter_mut().rev() {
            for words in [&*format!("rm --force {EDGE}"), "swarm leave --force"] {
                let _ = node.command(words).output();
            }
        }
        for node in &mut self.nodes {
            drop(node.engine.take());
            let _ = Command::new("ip").args(["netns", "delete", &node.namespace]).status();
        }
    }
}
