//! Kubernetes.

mod node;

use std::fs;
use std::path::{Path, PathBuf};

use canstop_managers::{eventually, is_installed, refuse, runs_all};

use self::node::Node;
use crate::clients::{Clients, LOAD, Update, lost, wait_until_served};

const TRACKER: &str = env!("CARGO_BIN_EXE_managed_tracker");
const TRACKER_ON_TOKIO: &str = env!("CARGO_BIN_EXE_managed_tracker_tokio");
const PODS: usize = 3;
/// The address of the service, whose port is 80.
const ADDRESS: &str = "10.96.0.80";

/// Starts a node, if everything that it needs is there.
fn start() -> Option<Node> {
    // Where `.ci/kubernetes` puts what it builds.
    let built = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("kubernetes");
    let packages = [
        ("etcd-server", &["etcd"][..]),
        ("containerd", &["containerd", "ctr"]),
        ("runc", &["runc"]),
        ("iptables", &["xtables-legacy-multi"]),
        ("containernetworking-plugins", &["/usr/lib/cni/bridge"]),
        ("busybox-static", &["/bin/busybox"]),
        ("iproute2", &["ip"]),
        ("util-linux", &["nsenter", "unshare"]),
        ("openssl", &["openssl"]),
        ("curl", &["curl"]),
    ];
    let is_here =
        runs_all() && is_built(&built) && packages.iter().all(|(package, programs)| is_installed(package, programs));
    is_here.then(|| Node::start(built))
}

/// Returns true if Kubernetes has been built. Debian has its source, and of its programs only `kubectl`.
fn is_built(folder: &Path) -> bool {
    folder.join("kubelet").exists()
        || refuse("Kubernetes is not built; to build it, .ci/kubernetes, up to half an hour")
}

/// The pods of a program.
struct Pods {
    program: &'static str,
    /// Its `CANSTOP_GRACE`. The platform has 25 seconds; of a shorter grace the drain delay is a fifth.
    grace: &'static str,
    probes: &'static str,
}

/// Starts pods, and waits until they serve.
fn deploy(node: &Node, Pods { program, grace, probes }: Pods) {
    let data = data(node);
    fs::create_dir_all(&data).expect("a folder");
    node.apply(&format!(
        r#"
apiVersion: v1
kind: Service
metadata: {{ name: web }}
spec: {{ clusterIP: {ADDRESS}, selector: {{ app: web }}, ports: [{{ port: 80, targetPort: 8080 }}] }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: web }}
spec:
  replicas: {PODS}
  selector: {{ matchLabels: {{ app: web }} }}
  strategy: {{ rollingUpdate: {{ maxSurge: 1, maxUnavailable: 0 }} }}
  template:
    metadata: {{ labels: {{ app: web }} }}
    spec:
      volumes:
        - {{ name: usr, hostPath: {{ path: /usr }} }}
        - {{ name: program, hostPath: {{ path: "{program}" }} }}
        - {{ name: data, hostPath: {{ path: "{}" }} }}
      containers:
        - name: web
          image: tracker:1
          command: [/program]
          env:
            - {{ name: POD, valueFrom: {{ fieldRef: {{ fieldPath: metadata.name }} }} }}
            - {{ name: DATABASE_URL, value: "sqlite:/data/$(POD).db" }}
            - {{ name: LISTEN, value: "0.0.0.0:8080" }}
            - {{ name: CANSTOP_HEALTH, value: "0.0.0.0:9000" }}
            - {{ name: CANSTOP_GRACE, value: {grace} }}
          ports: [{{ name: health, containerPort: 9000 }}, {{ name: http, containerPort: 8080 }}]
          volumeMounts:
            - {{ name: usr, mountPath: /usr, readOnly: true }}
            - {{ name: program, mountPath: /program, readOnly: true }}
            - {{ name: data, mountPath: /data }}
{probes}"#,
        data.display()
    ));
    node.kubectl("rollout status deployment/web --timeout=90s");
    node.wait_until_forwarded(ADDRESS);
    wait_until_served(node.inside("curl"), ADDRESS);
}

/// Where each pod that there was has its database.
fn data(node: &Node) -> PathBuf {
    node.folder().join("data")
}

/// Replaces every pod under load, and waits until the old ones have ended.
fn update(node: &Node, image: &str) -> Update {
    let clients = Clients::start(node.inside(LOAD), &format!("{ADDRESS}:80"), node.folder());
    node.kubectl(&format!("set image deployment/web web={image}"));
    node.kubectl("rollout status deployment/web --timeout=90s");
    wait_for_pods(node, PODS);
    let update = clients.finish();
    println!("{image}\n{}", update.text);
    update
}

fn wait_for_pods(node: &Node, count: usize) {
    let pods = || node.kubectl("get pods --no-headers");
    // The kubelet takes its time to say that a pod is gone.
    let are_there = (0..3).any(|_| eventually(|| pods().lines().count() == count));
    assert!(are_there, "there are not {count} pods:\n{}", pods());
}

fn remove(node: &Node) {
    node.kubectl("delete deployment/web");
    wait_for_pods(node, 0);
}

#[test]
fn a_rolling_update_of_kubernetes_fails_no_request() {
    /// Those of docs/operations.md.
    const PROBES: &str = "
          startupProbe: { httpGet: { path: /startupz, port: health }, periodSeconds: 1, failureThreshold: 60 }
          readinessProbe: { httpGet: { path: /readyz, port: health }, periodSeconds: 1, failureThreshold: 1 }
          livenessProbe: { httpGet: { path: /livez, port: health }, periodSeconds: 10 }
";
    const PROBES_ON_TOKIO: &str = "
          readinessProbe: { httpGet: { path: /stats, port: http }, periodSeconds: 1, failureThreshold: 1 }
";
    let Some(node) = start() else { return };
    deploy(&node, Pods { program: TRACKER, grace: "25s", probes: PROBES });
    let mut created = Vec::new();
    for image in ["tracker:2", "tracker:1"] {
        let update = update(&node, image);
        assert!(!update.has_failures, "{}", update.text);
        created.extend(update.created);
    }
    remove(&node);

    // They drain for one second. kube-proxy may need three.
    deploy(&node, Pods { program: TRACKER, grace: "5s", probes: PROBES });
    let brief = update(&node, "tracker:2");
    assert!(brief.has_failures, "the control with a brief drain delay must fail");
    created.extend(brief.created);
    remove(&node);

    deploy(&node, Pods { program: TRACKER_ON_TOKIO, grace: "25s", probes: PROBES_ON_TOKIO });
    let control = update(&node, "tracker:2");
    assert!(control.has_failures, "the control must fail");
    remove(&node);
    assert_eq!(lost(created, &data(&node)), Vec::<String>::new(), "acknowledged events");
}
