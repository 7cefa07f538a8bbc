#!/bin/sh
# What boot-test.sh runs in the machine that it boots.
set -eu
configuration=/etc/convened/convened.toml

say() { echo "boot-story.sh: $*"; }
shown() { systemctl show convened --property "$1" --value; }
fail() { say "FAILED: $*"; systemctl status --no-pager convened; journalctl --no-pager -u convened; exit 1; }
is() { [ "$(shown "$1")" = "$2" ] || fail "$1 is $(shown "$1") instead of $2"; }
# within SECONDS PROPERTY VALUE
within() {
    tries=$(($1 * 10))
    until [ "$(shown "$2")" = "$3" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || is "$2" "$3"
        sleep 0.1
    done
}
# told TEXT [MATCH]...: whether the journal has that message of the daemon.
told() {
    text=$1
    shift
    journalctl --sync
    journalctl --no-pager -u convened -o cat "$@" | grep -q "$text" || fail "the journal has no '$text' ($*)"
}

say "it starts, and is active when it is ready"
systemctl start convened
is ActiveState active
is StatusText "0 of 1 nodes followed; 0 conferences, 0 participants"
told "cannot connect.* node=fs1" CONVENED_NODE=fs1 PRIORITY=4

say "a password that systemd hands over"
printf ClueCon >/etc/convened/credentials/fs1
chmod 600 /etc/convened/credentials/fs1
sed -i 's/^password = .*/password_file = "credential:fs1"/' "$configuration"
systemd-run --quiet --unit=switch convened replay /root/standup.jsonl --listen 127.0.0.1:8021 --speed max
systemctl restart convened
within 30 StatusText "1 of 1 nodes followed; 0 conferences, 0 participants"

say "a token, and the API"
convened token create --account acme --scope read >/root/token 2>/dev/null
CONVENED_ACCOUNT=acme CONVENED_TOKEN_FILE=/root/token convened status

say "a reload"
pid=$(shown MainPID)
systemctl reload convened
within 10 ActiveState active
sed -i 's/^#listen = .*/listen = "nowhere"/' "$configuration"
! systemctl reload convened || fail "a reload of a wrong configuration goes well"
is ActiveState active
is MainPID "$pid"
told 'api.listen: .*`nowhere`' PRIORITY=3

say "a configuration that cannot work is not tried again"
! systemctl restart convened || fail "a wrong configuration goes well"
is ActiveState failed
is ExecMainStatus 78
is NRestarts 0
sed -i 's/^listen = .*/#listen = "127.0.0.1:8000"/' "$configuration"
systemctl start convened

say "it is killed, and is back"
systemctl kill --signal KILL --kill-who main convened
within 30 NRestarts 1
within 30 ActiveState active

say "it is stuck, and the watchdog starts it anew"
systemctl kill --signal STOP --kill-who main convened
within 90 NRestarts 2
within 30 ActiveState active
told "Watchdog timeout"

say "it stops"
systemctl stop convened
is Result success
is ExecMainStatus 0
say "ok"
