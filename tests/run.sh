#!/bin/sh
# Installs what the tests need on a bare Debian and runs all of them.
# Needs Rust and a C compiler. As root it installs Debian packages; otherwise it says which are missing.
set -eu
cd "$(dirname "$0")/.."

# Whether the server's programs are in the path or where Debian has them.
has_postgresql() {
    command -v initdb >/dev/null && command -v postgres >/dev/null && return
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$initdb" ] && [ -x "${initdb%/initdb}/postgres" ] && return
    done
    return 1
}

# curl: the demo's lines are pasted into a shell. util-linux: prlimit, for a disk that is full, and
# setpriv, for PostgreSQL and RabbitMQ, which root must not run. procps: kill. bsdutils: script, a terminal for
# what fills one. python3: clients written for Kazoo.
# systemd: reads its unit; it need not run.
missing=
command -v curl >/dev/null || missing="$missing curl"
{ command -v prlimit && command -v setpriv; } >/dev/null || missing="$missing util-linux"
command -v script >/dev/null || missing="$missing bsdutils"
[ -x /bin/kill ] || missing="$missing procps"
has_postgresql || missing="$missing postgresql"
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing="$missing rabbitmq-server"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
command -v python3 >/dev/null || missing="$missing python3"
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "tests/run.sh: please install:$missing" >&2
        exit 1
    fi
    # The tests start servers of their own: Debian's package need not.
    clusters=/etc/postgresql-common/createcluster.conf
    if ! has_postgresql && [ ! -e "$clusters" ]; then
        mkdir -p "${clusters%/*}"
        echo "create_main_cluster = false" >"$clusters"
    fi
    # RabbitMQ's package starts its server unless this forbids it.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        made_policy=yes
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    apt-get update -qq
    # shellcheck disable=SC2086 # one word for each package
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
    # Not left to the end: `exec` below runs no traps.
    trap - EXIT
    [ -z "${made_policy-}" ] || rm -f "$policy"
fi

# Published clients and what examples need, made again only if other versions are wanted or Python is another one.
clients=target/clients
if ! cmp -s tests/clients/requirements.txt "$clients/requirements.txt" ||
    ! "$clients/bin/python" -c 'import kazoo, openapi_spec_validator, pykazoo, quickjs, schemathesis, websockets' 2>/dev/null ||
    ! "$clients/bin/schemathesis" --version >/dev/null 2>&1; then
    rm -rf "$clients"
    python3 -m venv "$clients"
    "$clients/bin/pip" install -qq --disable-pip-version-check -r tests/clients/requirements.txt
    cp tests/clients/requirements.txt "$clients/requirements.txt"
fi

exec cargo test --locked
