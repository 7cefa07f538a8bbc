#!/usr/bin/env python3
"""Faults seen to be survived, against the real program: one line for each, with its figures.

    python3 tests/full/faults.py PROGRAM [FAULT ...]

As root (a small disk is mounted, a network is cut), on Linux with iproute2, iptables, util-linux and libfaketime.
Takes some minutes. Exits with 1 if a fault was not survived. An hour of the demo at full speed is soak.py.
"""

import os
import resource
import subprocess
import sys
import time
import traceback

from faults import clients, machine, switch
from faults.house import Failed, House

FAULTS = {
    "descriptors": machine.descriptors,
    "disk": machine.disk,
    "clock": machine.clock,
    "idle": clients.idle,
    "full": clients.full,
    "slow": clients.slow,
    "large": clients.large,
    "flood": clients.flood,
    "half_open": switch.half_open,
    "garbage": switch.garbage,
}
# These cut the network: they get one of their own, which nobody else sees.
ALONE = {"half_open"}


def main():
    program, names = os.path.abspath(sys.argv[1]), sys.argv[2:] or list(FAULTS)
    if unknown := set(names) - set(FAULTS):
        sys.exit(f"there is no {', '.join(unknown)}; there are: {', '.join(FAULTS)}")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    failed = 0
    for name in names:
        if name in ALONE and "CONVENED_FAULTS_ALONE" not in os.environ:
            inside = ["unshare", "-n", sys.executable, __file__, program, name]
            failed += subprocess.run(inside, env={**os.environ, "CONVENED_FAULTS_ALONE": "1"}).returncode
            continue
        began = time.monotonic()
        try:
            with House(program) as house:
                words = FAULTS[name](house)
            print(f"survived  {name:12} {time.monotonic() - began:5.1f} s  {words}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAILED    {name:12} {time.monotonic() - began:5.1f} s  {error}", flush=True)
            if not isinstance(error, Failed):
                traceback.print_exc()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
