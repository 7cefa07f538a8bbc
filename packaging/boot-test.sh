#!/bin/sh
# Boots a plain Debian 12 with the package in a container, and sees what systemd does with the daemon.
# As root, with debootstrap, systemd-nspawn (Debian's package systemd-container) and cargo-deb. Some minutes.
#
#   sh packaging/boot-test.sh [CHROOT]    a directory that debootstrap has made before; it is copied
#
# CONVENED_TEST_PROFILE=dev takes the debug build instead of the release.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
if [ -n "${1-}" ]; then
    cp -a "$1" "$root"
else
    debootstrap --variant=minbase --include=systemd-sysv,dbus bookworm "$root" >"$work/log"
fi

CONVENED_PROFILE=${CONVENED_TEST_PROFILE-release} sh packaging/build.sh --fast --output "$root/root/convened.deb"
chroot "$root" dpkg -i /root/convened.deb
cp packaging/boot-story.sh fixtures/captures/standup.jsonl "$root/root/"

# The machine ends with the story, and as it did.
cat >"$root/etc/systemd/system/story.service" <<'UNIT'
[Unit]
SuccessAction=exit
FailureAction=exit
FailureActionExitStatus=1

[Service]
Type=oneshot
ExecStart=/bin/sh /root/boot-story.sh
StandardOutput=file:/root/story.log
StandardError=inherit

[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl enable --quiet story

code=0
systemd-nspawn --quiet --boot --directory="$root" --machine="convened-$$" --private-network \
    --register=no --keep-unit --console=pipe </dev/null >"$work/console" 2>&1 || code=$?
cat "$root/root/story.log"
[ "$code" -eq 0 ] || cat "$work/console"
exit "$code"
