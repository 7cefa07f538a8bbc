#!/bin/sh
# Installs what the tests need on a bare Debian and runs all of them.
# Needs Rust and a C compiler. As root it installs Debian packages; otherwise it says which are missing.
set -eu
cd "$(dirname "$0")/.."

# curl: the demo's lines are pasted into a shell. util-linux: prlimit, for a disk that is full.
missing=
command -v curl >/dev/null || missing="$missing curl"
command -v prlimit >/dev/null || missing="$missing util-linux"
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "tests/run.sh: please install:$missing" >&2
        exit 1
    fi
    apt-get update -qq
    # shellcheck disable=SC2086 # one word for each package
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi

exec cargo test --locked
