# Boots a systemd user manager and a journal for it. It is process 1 of a PID namespace, and in a mount namespace.
# Arguments: the name of its control group, and a folder with journald.conf.
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup || exit 97
mount -t tmpfs none /run
mkdir -p /run/systemd/system /run/log/journal
mount --bind "$2/journald.conf" /etc/systemd/journald.conf
/lib/systemd/systemd-journald > /dev/null 2>&1 &
journal=$!
until [ -S /run/systemd/journal/stdout ]; do sleep .02; done

# The manager makes control groups below its own, in which there must be no other process then.
group=/sys/fs/cgroup/$1
mkdir "$group"
sh -c 'echo $$ > "$1/cgroup.procs" && exec /lib/systemd/systemd --user --log-target=journal --unit=default.target' sh "$group"
kill "$journal"
# A control group is a folder that only `rmdir` removes, the innermost first.
find "$group" -depth -type d -exec rmdir {} \;
