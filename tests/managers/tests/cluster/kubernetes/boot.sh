# Runs a node of Kubernetes. It is process 1 of a PID namespace, in a mount namespace and the node's network namespace.
# Arguments: the node's folder, the folder of Kubernetes's programs, the node's address.
set -eu
cd "$1"
programs=$2
address=$3

# What the node writes outside its folder is gone with it.
mount --make-rshared /
for path in /run /var/lib/kubelet /var/log /etc/cni; do
    mkdir -p "$path"
    mount -t tmpfs none "$path"
    mount --make-rshared "$path"
done
mkdir -p /etc/cni/net.d etcd
touch resolv.conf
mount --bind resolv.conf /etc/resolv.conf
# The kubelet would set these for the whole machine.
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys \
    kernel/keys/root_maxbytes; do
    file=sysctl.${name//\//.}
    cat "/proc/sys/$name" >"$file"
    mount --bind "$file" "/proc/sys/$name"
done
# kube-proxy replaces whole tables; the older iptables does that at once.
mkdir iptables
for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
    ln -s /usr/sbin/xtables-legacy-multi "iptables/$name"
done
export PATH=$PWD/iptables:$programs:/usr/sbin:$PATH

cat >/etc/cni/net.d/bridge.conflist <<JSON
{ "cniVersion": "0.4.0", "name": "bridge", "plugins": [{
    "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
    "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.244.0.0/24" }]], "routes": [{ "dst": "0.0.0.0/0" }] }
}] }
JSON
cat >containerd.toml <<TOML
version = 2
root = "$PWD/containerd"
state = "/run/containerd"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/tracker:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
TOML
cat >kubelet.json <<JSON
{
    "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
    "authentication": { "anonymous": { "enabled": true }, "webhook": { "enabled": false } },
    "authorization": { "mode": "AlwaysAllow" },
    "cgroupDriver": "cgroupfs", "cgroupsPerQOS": false, "enforceNodeAllocatable": [],
    "failSwapOn": false, "oomScoreAdj": 0, "maxOpenFiles": 20000,
    "evictionHard": { "memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
    "imageGCHighThresholdPercent": 100,
    "syncFrequency": "1s", "nodeStatusUpdateFrequency": "2s"
}
JSON
cat >kubeconfig <<JSON
{
    "apiVersion": "v1", "kind": "Config", "current-context": "node",
    "clusters": [{ "name": "node", "cluster": { "server": "https://$address:6443", "insecure-skip-tls-verify": true } }],
    "users": [{ "name": "admin", "user": { "token": "secret" } }],
    "contexts": [{ "name": "node", "context": { "cluster": "node", "user": "admin" } }]
}
JSON
echo 'secret,admin,admin,"system:masters"' >tokens.csv
openssl genrsa -out accounts.key 2048 2>/dev/null

start() {
    "$@" >"$1.log" 2>&1 &
}
start etcd --data-dir etcd --unsafe-no-fsync
start containerd --config containerd.toml
start kube-apiserver --etcd-servers http://127.0.0.1:2379 --advertise-address "$address" --bind-address "$address" \
    --cert-dir certificates --token-auth-file tokens.csv --authorization-mode RBAC --allow-privileged \
    --disable-admission-plugins ServiceAccount --service-cluster-ip-range 10.96.0.0/16 \
    --service-account-issuer https://kubernetes --service-account-key-file accounts.key \
    --service-account-signing-key-file accounts.key
start kube-controller-manager --kubeconfig kubeconfig --leader-elect=false --bind-address 127.0.0.1 \
    --cert-dir certificates --cluster-cidr 10.244.0.0/16 --service-account-private-key-file accounts.key
start kube-scheduler --kubeconfig kubeconfig --leader-elect=false --bind-address 127.0.0.1 --cert-dir certificates
until ctr --namespace k8s.io images import image.tar; do sleep .2; done
start kubelet --config kubelet.json --kubeconfig kubeconfig --container-runtime remote \
    --container-runtime-endpoint unix:///run/containerd/containerd.sock --hostname-override node \
    --node-ip "$address" --cert-dir certificates
# As late as that of a busy cluster: after a burst of two it changes its rules every three seconds only.
start kube-proxy --kubeconfig kubeconfig --hostname-override node --cluster-cidr 10.244.0.0/16 \
    --iptables-min-sync-period 3s \
    --conntrack-max-per-core 0 --conntrack-tcp-timeout-established 0 --conntrack-tcp-timeout-close-wait 0
wait
