#!/bin/bash
# Runs probes under a real systemd: a user manager and a journal of their own in a mount namespace, which cannot
# reach the host's.
# It needs root, systemd and cgroup2. Build the probes first: cargo build -p canstop-tests
# Usage: run.sh [PROBES]   (default: target/debug)
set -u
PROBES=$(cd "${1:-$(dirname "$0")/../../target/debug}" && pwd)
W=$(mktemp -d); mkdir -p "$W/run" "$W/conf/systemd/user"
export XDG_RUNTIME_DIR=$W/run
printf '[Unit]\nDescription=nothing\n' > "$W/conf/systemd/user/default.target"

unit() { # NAME SCENARIO [lines of [Service]]
  local name=$1 scenario=$2; shift 2
  { echo '[Service]'; echo "ExecStart=$PROBES/seen $scenario"; printf '%s\n' StandardError=journal "SyslogIdentifier=$name"; printf '%s\n' "$@"; } \
    > "$W/conf/systemd/user/$name.service"
}
#    name       scenario   what is tried, and beside it the control that must fail
unit ready      slow-stop  Type=notify TimeoutStartSec=5
unit unready    slow-stop  Type=notify TimeoutStartSec=2 Environment=CANSTOP_NOTIFY=off
unit extends    slow-stop  Type=notify TimeoutStopSec=1
unit killed     slow-stop  Type=simple TimeoutStopSec=1 Environment=CANSTOP_NOTIFY=off
unit healthy    serves     Type=notify WatchdogSec=1
unit unfed      serves     Type=simple WatchdogSec=1 LimitCORE=0 Environment=CANSTOP_NOTIFY=off
unit blocked    blocks     Type=notify WatchdogSec=1 LimitCORE=0 StandardInputText=block
unit unwatched  blocks     Type=notify LimitCORE=0 StandardInputText=block

cat > "$W/boot.sh" <<'X'
umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup || exit 97
mount -t tmpfs none /run; mkdir -p /run/systemd/system /run/log/journal
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n' > "$2/journald.conf"; mount --bind "$2/journald.conf" /etc/systemd/journald.conf
/lib/systemd/systemd-journald > /dev/null 2>&1 &
for _ in $(seq 100); do [ -S /run/systemd/journal/stdout ] && break; sleep .05; done
mkdir -p "/sys/fs/cgroup/$1"; echo $$ > "/sys/fs/cgroup/$1/cgroup.procs"
exec /usr/lib/systemd/systemd --user --log-target=journal --unit=default.target
X
HOME=$W XDG_CONFIG_HOME=$W/conf unshare -m --propagation private bash "$W/boot.sh" "canstop-$$" "$W" > "$W/systemd.log" 2>&1 &
MANAGER=$!
for _ in $(seq 100); do systemctl --user is-system-running > "$W/state" 2>&1; grep -q 'running\|degraded' "$W/state" && break; sleep .05; done

FAILED=0
result() { systemctl --user show "$1" -P Result; }
expect() { # WHAT EXPECTED FOUND
  if [ "$2" = "$3" ]; then echo "ok: $1"; else echo "FAILED: $1: expected $2, found $3"; FAILED=1; fi
}
journal() { # NAME: the program's lines, and what systemd says of it
  nsenter -t "$MANAGER" -m journalctl -D /run/log/journal -o cat SYSLOG_IDENTIFIER="$1" + USER_UNIT="$1.service" 2>&1
}
says() { # WHAT NAME TEXT
  if journal "$2" | grep -q "$3"; then echo "ok: $1"; else echo "FAILED: $1"; journal "$2"; FAILED=1; fi
}
says_before() { # WHAT NAME FIRST THEN
  if journal "$2" | grep -e "$3" -e "$4" | head -1 | grep -q "$3" && journal "$2" | grep -q "$4"
  then echo "ok: $1"; else echo "FAILED: $1"; journal "$2"; FAILED=1; fi
}

systemctl --user start ready 2> /dev/null
expect "start returns when the program is ready" active "$(systemctl --user show ready -P ActiveState)"
expect "and its status says so" "ready: 1 service" "$(systemctl --user show ready -P StatusText)"
systemctl --user start unready 2> /dev/null
expect "control: without a notification the start times out" timeout "$(result unready)"
systemctl --user start extends; systemctl --user stop extends
expect "a stop of 2.3 s ends by itself under TimeoutStopSec=1" success "$(result extends)"
says "and reports" extends 'stopped (SIGTERM) in 2.*exit code 0'
systemctl --user start killed; sleep .3; systemctl --user stop killed
expect "control: without a notification it is killed" timeout "$(result killed)"
systemctl --user start healthy unfed blocked unwatched; sleep 4
expect "the watchdog leaves a healthy program alone" active "$(systemctl --user show healthy -P ActiveState)"
expect "control: without its notifications the same program is ended" watchdog "$(result unfed)"
expect "one whose every worker is blocked is ended" watchdog "$(result blocked)"
BLOCKS='taken up no work.*session `stuck` of service `blocks` (tests/src/bin/seen.rs:'
says_before "and the journal names what blocks before that" blocked "$BLOCKS" 'Watchdog timeout'
expect "control: without a watchdog the same program goes on" active "$(systemctl --user show unwatched -P ActiveState)"
systemctl --user kill --signal=KILL unwatched; systemctl --user stop healthy ready
systemctl --user exit; wait "$MANAGER"
rm -rf "$W"
exit $FAILED
