#!/bin/sh
# Installs the package in a plain Debian 12, starts what it brings, upgrades it, removes it: nothing is lost.
# As root, with debootstrap and cargo-deb (cargo install cargo-deb); with lintian if that is there. Some minutes.
#
#   sh packaging/test.sh [CHROOT]     a directory that debootstrap has made before, to save time
#
# CONVENED_TEST_PROFILE=dev takes the debug build instead of the release.
set -eu
profile=${CONVENED_TEST_PROFILE-release}
cd "$(dirname "$0")/.."

work=$(mktemp -d)
root=${1-$work/root}
trap 'kill "${daemon-}" 2>/dev/null || true; umount "$root/proc" 2>/dev/null || true; rm -rf "$work"' EXIT
[ -d "$root/usr" ] || debootstrap --variant=minbase --include=systemd bookworm "$root" >"$work/log"
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"

say() { echo "packaging/test.sh: $*"; }
fail() { say "FAILED: $*" >&2; exit 1; }
inside() { chroot "$root" "$@"; }

# make VERSION: the package of the program as it is, with that version.
make() {
    CONVENED_PROFILE=$profile sh packaging/build.sh --fast --deb-version "$1" --output "$work/convened_$1.deb" >"$work/deb" 2>&1 || { cat "$work/deb"; fail "packaging/build.sh"; }
    cp "$work/convened_$1.deb" "$root/root/convened_$1.deb"
}
install() { inside dpkg --force-confold -i "/root/convened_$1.deb" >"$work/dpkg" 2>&1 || { cat "$work/dpkg"; fail "dpkg"; }; }

cargo build --profile "$profile" --locked
make 1.0.0-1
make 1.0.0-2
if command -v lintian >/dev/null; then
    LC_ALL=C.UTF-8 lintian --allow-root --fail-on error,warning "$work/convened_1.0.0-1.deb" || fail "lintian"
fi

say "what it needs that a plain Debian does not have:"
dpkg-deb --field "$work/convened_1.0.0-1.deb" Depends
install 1.0.0-1
inside id convened >/dev/null || fail "there is no user"
[ "$(stat -c %a:%U "$root/etc/convened/credentials")" = 700:root ] || fail "credentials are open"
enabled=$root/etc/systemd/system/multi-user.target.wants/convened.service
[ -L "$enabled" ] || fail "it is not enabled"
for page in convened convened-run convened-top; do
    zcat "$root/usr/share/man/man1/$page.1.gz" | grep -qi "^.TH $page 1" || fail "no manual page $page"
done
inside bash -ec '. "$1"; complete -p convened' - /usr/share/bash-completion/completions/convened >/dev/null || fail "no completion"
for completion in zsh/vendor-completions/_convened fish/vendor_completions.d/convened.fish; do
    [ -s "$root/usr/share/$completion" ] || fail "no $completion"
done
inside convened check-config /etc/convened/convened.toml || fail "the shipped configuration"
inside systemd-analyze verify --man=no convened.service || fail "the unit"

# run: starts the daemon as its unit does; talk to it with the token.
run() {
    mkdir -p "$root/var/lib/convened"
    inside chown convened:convened /var/lib/convened
    chroot "$root" setpriv --reuid convened --regid convened --clear-groups \
        convened run --config /etc/convened/convened.toml >"$work/run.log" 2>&1 &
    daemon=$!
    until grep -q '"serving"' "$work/run.log"; do
        kill -0 "$daemon" 2>/dev/null || { cat "$work/run.log"; fail "it does not start"; }
        sleep 0.1
    done
    address=$(sed -n 's/.*"serving".*"address":"\([^"]*\)".*/\1/p' "$work/run.log")
    base=http://$address/v2/accounts/acme/conferences
}
stop() { kill -TERM "$daemon"; wait "$daemon" || fail "it ended with $?"; }
ask() { curl -sf -H "X-Auth-Token: $token" "$@"; }

# An operator has changed the configuration, and there is a document.
sed -i 's/^#listen = .*/listen = "127.0.0.1:0"/' "$root/etc/convened/convened.toml"
group=$(inside stat -c %G /etc/convened/convened.toml)
[ "$group" = convened ] || fail "the daemon cannot read its configuration: group $group"
run
token=$(inside convened token create --config /etc/convened/convened.toml --account acme --scope read,control,write)
ask -X PUT -d '{"data": {"name": "kept"}}' "$base" >/dev/null || fail "no document"
stop

say "upgrade"
inside systemctl disable --quiet convened
install 1.0.0-2
[ ! -L "$enabled" ] || fail "an upgrade enables what was disabled"
inside systemctl enable --quiet convened
grep -q '^listen = "127.0.0.1:0"' "$root/etc/convened/convened.toml" || fail "the configuration was overwritten"
run
ask "$base" | grep -q '"kept"' || fail "the document is lost"
stop

say "remove and install again"
inside dpkg --remove convened >"$work/dpkg" 2>&1 || { cat "$work/dpkg"; fail "remove"; }
install 1.0.0-2
[ -L "$enabled" ] || fail "it is not enabled"
run
ask "$base" | grep -q '"kept"' || fail "the document is lost"
stop

say "remove and purge"
inside dpkg --purge convened >"$work/dpkg" 2>&1 || { cat "$work/dpkg"; fail "purge"; }
[ -e "$root/var/lib/convened/convened.db" ] || fail "purging deletes the database"
[ ! -L "$enabled" ] || fail "it is still enabled"
[ ! -e "$root/usr/bin/convened" ] || fail "the program is still there"
[ ! -e "$root/etc/convened/convened.toml" ] || fail "the configuration is still there"
rm -f "$root"/root/convened_*.deb "$root"/var/lib/convened/convened.db*
say "ok"
