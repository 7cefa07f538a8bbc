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
