#!/bin/sh
# Before a release: the stories of tests/run.sh with larger numbers. Takes an hour or so. What needs root or says
# something of the release build only is run by hand beside it:
#   python3 tests/full/faults.py target/release/convened
#   python3 tests/full/soak.py target/release/convened
set -eu
cd "$(dirname "$0")/../.."

sh tests/run.sh
# kill -9 while four clients write, on SQLite and on PostgreSQL.
CONVENED_TEST_KILLS=100 cargo test --locked --test process_killed -- --nocapture
# Random days of a switch and its node; a seed that fails is printed and replays with CONVENED_TEST_SEED.
CONVENED_TEST_SEEDS=10000 cargo test --locked --test simulation -- --nocapture
# What schemathesis makes up out of the OpenAPI document, all edges among it.
CONVENED_TEST_EXAMPLES=300 cargo test --locked --test schemathesis -- --nocapture
# The package, in a plain Debian, and under a systemd that has been booted.
if [ "$(id -u)" -eq 0 ]; then
    command -v debootstrap >/dev/null && command -v systemd-nspawn >/dev/null ||
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap systemd-container
    command -v cargo-deb >/dev/null || cargo install --locked cargo-deb
    sh packaging/test.sh
    sh packaging/boot-test.sh
else
    echo "tests/full/run.sh: packaging/test.sh and packaging/boot-test.sh need root" >&2
fi
