//! A node of Kubernetes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use canstop_examples::ScratchFolder;
use canstop_managers::{Daemon, NAMESPACES, eventually};

use crate::image::make_image;
use crate::shell::{output, run};

const BOOT: &str = include_str!("boot.sh");
const ADDRESS: &str = "10.200.0.1";
/// Lists the addresses of the services that have pods, as kube-proxy has them.
const RULES: &str = "iptables --table nat --list-rules KUBE-SERVICES";
/// Where containerd makes the control groups of its containers.
const GROUP: &str = "k8s.io";

/// A whole cluster in namespaces of its own. Its processes end with it.
pub(crate) struct Node {
    /// `unshare`, whose child is process 1 in the namespaces.
    namespaces: Option<Daemon>,
    network: String,
    programs: PathBuf,
    folder: ScratchFolder,
}

impl Node {
    /// Starts it with the programs of this folder, and waits until it takes pods.
    pub(crate) fn start(programs: PathBuf) -> Self {
        let folder = ScratchFolder::new_in(std::env::temp_dir());
        let mut node = Self { namespaces: None, network: format!("node-{}", process::id()), programs, folder };
        let (network, path) = (&node.network, node.folder());
        run("ip", &format!("netns add {network}"));
        run("ip", &format!("-n {network} link set lo up"));
        run("ip", &format!("-n {network} link add node0 type veth peer name node1"));
        run("ip", &format!("-n {network} addr add {ADDRESS}/24 dev node0"));
        for end in ["node0", "node1"] {
            run("ip", &format!("-n {network} link set {end} up"));
        }
        run("ip", &format!("-n {network} route add default dev node0"));
        write_image(path);
        fs::write(path.join("boot.sh"), BOOT).expect("a file");

        let log = File::create(path.join("boot.log")).expect("a file");
        let mut command = node.inside("unshare");
        command.args(NAMESPACES);
        command.arg("bash").arg(path.join("boot.sh")).arg(path).arg(&node.programs).arg(ADDRESS);
        node.namespaces = Some(Daemon::start(command.stdout(log.try_clone().expect("a file")).stderr(log)));
        let takes_pods = || {
            let output = node.command("get node node --no-headers").output();
            output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(" Ready"))
        };
        assert!(eventually(takes_pods), "the node does not come up; its logs are in {}", node.folder().display());
        node
    }

    /// Its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program in the node's network.
    pub(crate) fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.network)).arg(program).stdin(Stdio::null());
        command
    }

    /// A command of `kubectl`, whose words have no spaces.
    fn command(&self, words: &str) -> Command {
        let mut command = self.inside(&self.programs.join("kubectl").display().to_string());
        command.arg("--kubeconfig").arg(self.folder().join("kubeconfig")).args(words.split(' '));
        command
    }

    /// Runs `kubectl`, and returns what it writes.
    #[track_caller]
    pub(crate) fn kubectl(&self, words: &str) -> String {
        output(&mut self.command(words))
    }

    /// Makes what this manifest says.
    #[track_caller]
    pub(crate) fn apply(&self, manifest: &str) {
        let file = self.folder().join("manifest.yaml");
        fs::write(&file, manifest).expect("a file");
        self.kubectl(&format!("apply --filename {}", file.display()));
    }

    /// Waits until kube-proxy forwards connections to the service of this address.
    ///
    /// The kernel keeps for two minutes where a connection goes. One that is made before would take a later one from the
    /// same port with it to nowhere.
    #[track_caller]
    pub(crate) fn wait_until_forwarded(&self, address: &str) {
        let rule = format!(" -d {address}/32 ");
        let is_forwarded = || {
            let output = self.inside("xtables-legacy-multi").args(RULES.split(' ')).output();
            output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&rule))
        };
        assert!(eventually(is_forwarded), "kube-proxy does not forward to {address}");
    }
}

/// The archive of an image with three names. There is only a program that does nothing in it, for the sandbox of a pod;
/// a container mounts the machine's own `/usr`, read-only, and its program.
fn write_image(folder: &Path) {
    let image = make_image(folder);
    fs::create_dir(image.join("archive")).expect("a folder");
    fs::copy("/bin/busybox", image.join("busybox")).expect("it is installed");
    let layer = image.join("archive/layer.tar");
    run("tar", &format!("--create --exclude archive --file {} --directory {} .", layer.display(), image.display()));
    let digest = output(Command::new("sha256sum").arg(&layer));
    let digest = digest.split(' ').next().unwrap_or_default();
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{"Entrypoint":["/busybox","sleep","infinity"]}},
        "rootfs":{{"type":"layers","diff_ids":["sha256:{digest}"]}}}}"#
    );
    fs::write(image.join("archive/config.json"), config).expect("a file");
    let manifest = r#"[{"Config":"config.json","Layers":["layer.tar"],"RepoTags":["tracker:1","tracker:2"]}]"#;
    fs::write(image.join("archive/manifest.json"), manifest).expect("a file");
    let (archive, contents) = (folder.join("image.tar"), image.join("archive"));
    run("tar", &format!("--create --file {} --directory {} .", archive.display(), contents.display()));
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.namespaces.take());
        // Best effort: a test that fails may have come to any point.
        let _ = Command::new("ip").args(["netns", "delete", &self.network]).status();
        // Their processes end a moment later.
        let _ = eventually(remove_groups);
    }
}

/// Removes the control groups of containers. Each is a folder that only `rmdir` removes, the innermost first. Returns
/// true if none is left.
fn remove_groups() -> bool {
    let path = format!("*/{GROUP}*");
    let find = |more: &[&str]| {
        Command::new("find").args(["/sys/fs/cgroup", "-depth", "-type", "d", "-path", &path]).args(more).output()
    };
    let _ = find(&["-exec", "rmdir", "{}", ";"]);
    find(&[]).is_ok_and(|output| output.stdout.is_empty())
}
