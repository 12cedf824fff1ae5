#!/bin/bash
# Restarts a web server under a real systemd and a load that never retries: with a socket unit, with the fd store, and
# by hand-over none of 10,000 requests is refused or reset. Beside each, a control that must fail.
# It needs root, systemd and cgroup2, and runs a user manager of its own as run.sh does.
# Build the probes first: cargo build -p canstop-tests
# Usage: restarts.sh [PROBES]   (default: target/debug); ROUNDS=100 for more restarts (default: 10)
set -u
PROBES=$(cd "${1:-$(dirname "$0")/../../target/debug}" && pwd)
ROUNDS=${ROUNDS:-10}
W=$(mktemp -d); mkdir -p "$W/run" "$W/conf/systemd/user"
export XDG_RUNTIME_DIR=$W/run
printf '[Unit]\nDescription=nothing\n' > "$W/conf/systemd/user/default.target"
BASE=$((20000 + $$ % 10000)); N=0

unit() { # NAME [lines of [Service]]
  local name=$1; shift; N=$((N + 1)); : > "$W/$name.plan"
  eval "ADDRESS_$name=127.0.0.1:$((BASE + N))"
  { printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\n'; echo "ExecStart=$PROBES/handover 127.0.0.1:$((BASE + N)) $W/$name.plan"
    echo "StandardError=append:$W/$name.err"; printf '%s\n' "$@"; } > "$W/conf/systemd/user/$name.service"
}
RELOADS='ExecReload=/bin/kill -USR2 $MAINPID'
#    name     what is tried, and beside it the control that must fail
unit socketed Type=notify
unit stored   Type=notify FileDescriptorStoreMax=8
unit plain    Type=notify
unit reloaded Type=notify "$RELOADS" WatchdogSec=20
unit deaf     Type=simple "$RELOADS" Environment=CANSTOP_NOTIFY=off
printf '[Socket]\nListenStream=%s\nFileDescriptorName=web\n' "$ADDRESS_socketed" > "$W/conf/systemd/user/socketed.socket"

cat > "$W/boot.sh" <<'B'
umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup || exit 97
mount -t tmpfs none /run; mkdir -p /run/systemd/system
mkdir -p "/sys/fs/cgroup/$1"; echo $$ > "/sys/fs/cgroup/$1/cgroup.procs"
exec /usr/lib/systemd/systemd --user --unit=default.target
B
HOME=$W XDG_CONFIG_HOME=$W/conf unshare -m --propagation private bash "$W/boot.sh" "canstop-$$" > "$W/systemd.log" 2>&1 &
for _ in $(seq 100); do systemctl --user is-system-running > "$W/state" 2>&1; grep -q 'running\|degraded' "$W/state" && break; sleep .05; done

FAILED=0
show() { systemctl --user show "$1" -P "$2"; }
expect() { # WHAT EXPECTED FOUND
  if [ "$2" = "$3" ]; then echo "ok: $1"; else echo "FAILED: $1: expected $2, found $3"; FAILED=1; fi
}
load() { # NAME REQUESTS COMMAND..: runs a command under a load, and prints how many requests failed of how many
  local address="ADDRESS_$1" requests=$2; shift 2
  mkfifo "$W/end"; "$PROBES/load" "${!address}" 3 "$((requests / 2))" < "$W/end" > "$W/load" & local pid=$!
  exec 9> "$W/end"; sleep .2; "$@"; exec 9>&-; wait $pid; rm "$W/end"
  awk '{ for (i = 1; i < NF; i++) { if ($(i + 1) ~ /^answered/) ok += $i; if ($(i + 1) ~ /^(refused|reset|other)/) bad += $i } }
       END { print bad + 0, ok + 0 }' "$W/load"
}
restarts() { # NAME
  for _ in $(seq "$ROUNDS"); do systemctl --user restart "$1.service"; sleep .05; done
}
reloads() { # NAME
  for _ in $(seq "$ROUNDS"); do
    local old; old=$(show "$1" MainPID); systemctl --user reload "$1"
    for _ in $(seq 400); do [ "$(show "$1" MainPID)" != "$old" ] && ! kill -0 "$old" 2> /dev/null && break; sleep .025; done
  done
}
lost_none() { # WHAT "FAILED ANSWERED"
  local failed=${2% *} answered=${2#* }
  expect "$1: of $((failed + answered)) requests none is refused or reset" 0 "$failed"
  [ "$answered" -ge 10000 ] || { echo "FAILED: only $answered requests"; FAILED=1; }
}
lost_some() { # WHAT "FAILED ANSWERED"
  [ "${2% *}" -gt 0 ]; expect "control: $1: ${2% *} of $((${2% *} + ${2#* })) requests fail" 0 $?
}

systemctl --user start socketed.socket socketed stored plain reloaded deaf
lost_none "$ROUNDS restarts with a socket unit" "$(load socketed 10000 restarts socketed)"
lost_none "$ROUNDS restarts with the fd store" "$(load stored 10000 restarts stored)"
lost_some "restarts with neither" "$(load plain 100 restarts plain)"

OLD=$(show reloaded MainPID)
lost_none "$ROUNDS hand-overs" "$(load reloaded 10000 reloads reloaded)"
NEW=$(show reloaded MainPID); [ "$OLD" != "$NEW" ]; expect "systemd has another main process" 0 $?
expect "and the unit was never restarted" 0 "$(show reloaded NRestarts)"
expect "and its status is the new process's" "ready: 1 service" "$(show reloaded StatusText)"
FED=$(show reloaded WatchdogTimestampMonotonic)
for _ in $(seq 400); do [ "$(show reloaded WatchdogTimestampMonotonic)" != "$FED" ] && break; sleep .05; done
[ "$(show reloaded WatchdogTimestampMonotonic)" != "$FED" ]; expect "which feeds the watchdog" 0 $?
echo fail > "$W/reloaded.plan"; systemctl --user reload reloaded
for _ in $(seq 200); do grep -q 'hand-over failed: the new process' "$W/reloaded.err" && break; sleep .025; done
grep -q 'hand-over failed: the new process' "$W/reloaded.err"; expect "a version that fails is reported" 0 $?
expect "and the old one goes on" "active $NEW" "$(show reloaded ActiveState) $(show reloaded MainPID)"
systemctl --user stop reloaded; expect "a stop reaches the new process" success "$(show reloaded Result)"
tail -1 "$W/reloaded.err" | grep -q 'stopped (SIGTERM).*exit code 0'; expect "and is waited for" 0 $?
kill -USR2 "$(show deaf MainPID)"
for _ in $(seq 200); do [ "$(show deaf ActiveState)" != active ] && break; sleep .025; done
expect "control: without a notification the end of the old process is the end of the unit" inactive "$(show deaf ActiveState)"

# The next version listens elsewhere: what is stored under its name is for nobody.
sed -i "s/$ADDRESS_stored/127.0.0.1:$((BASE + 99))/" "$W/conf/systemd/user/stored.service"
systemctl --user daemon-reload; systemctl --user restart stored
expect "another address under the same name is bound" active "$(show stored ActiveState)"
"$PROBES/load" "127.0.0.1:$((BASE + 99))" 1 1 < /dev/null > "$W/load"; expect "and served" 0 $?
expect "and the old socket is out of the store" 1 "$(show stored NFileDescriptorStore)"

systemctl --user stop socketed.socket socketed stored plain; systemctl --user exit; wait
rm -rf "$W"
exit $FAILED
