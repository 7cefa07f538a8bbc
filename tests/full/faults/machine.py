"""What the machine does: no descriptors, no room on the disk, a clock that jumps."""

import contextlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

from .house import check, until

DAY = 86_400


def descriptors(house):
    """Out of file descriptors: connections take all of them."""
    switch, daemon = house.both(wrap=["prlimit", "--nofile=80:80"])
    room, kept, before = daemon.room(), daemon.client(), daemon.files()
    kept.ask("GET", "")
    taken = [daemon.connect() for _ in range(120)]
    until("word of it in the log", lambda: daemon.lines("no connection can be accepted"))
    cpu, at, files = daemon.cpu(), len(daemon.lines("no connection can be accepted")), daemon.files()
    # What is open works: an action, a document on the disk, the switch's events.
    status, answer = kept.act(room, "lock")
    check(status == 200, "lock", status, answer)
    status, answer = kept.ask("PUT", "", {"data": {"name": "made without descriptors"}})
    check(status == 201, "document", status, answer)
    switch.api(f"conference {room[1:]} unlock")
    until("event", lambda: not kept.ask("GET", room)[1]["data"]["_read_only"]["is_locked"])
    # The switch is restarted meanwhile: there may be no descriptor for a new connection.
    switch.stop()
    until("loss", lambda: daemon.condition(kept) != "followed")
    time.sleep(5)
    spent, told = daemon.cpu() - cpu, len(daemon.lines("no connection can be accepted")) - at
    switch.start()
    for end in taken:
        end.close()
    back = daemon.followed()
    check(daemon.client().ask("GET", room)[0] == 200, "a new connection")
    until("given-back descriptor", lambda: daemon.files() <= before + 4)
    check(spent < 1.5, "it spins:", spent, "s of CPU")
    return f"{files} of 80 taken; action, document and events went on; {spent:.2f} s CPU and {told} lines " \
           f"in 5 s of it; switch followed again {back:.1f} s after the release"


def disk(house):
    """A full disk under the database, below the log, and for an export."""
    folder = Path(tempfile.mkdtemp(prefix="convened-disk-"))
    house.things.append(folder.rmdir)
    subprocess.check_call(["mount", "-t", "tmpfs", "-o", "size=3m", "convened", folder])
    house.things.append(lambda: subprocess.check_call(["umount", "-l", folder]))
    switch, daemon = house.both(database=folder / "convened.db")
    client, room, made = daemon.client(), daemon.room(), []
    document = {"data": {"name": "large", "custom": "x" * 60_000}}
    while (answer := client.ask("PUT", "", document))[0] == 201:
        made.append(answer[1]["data"]["id"])
        check(len(made) < 200, "the disk is never full")
    check(answer[0] == 503 and answer[1]["message"] == "datastore_unavailable", answer)
    check(client.ask("GET", "/" + made[0])[0] == 200, "reading")
    for action in ("lock", "unlock"):
        status, told = client.act(room, action)
        check(status == 200, action, status, told)
    status, told = client.act(room, "lock", Idempotency_Key="full")
    check(status in (200, 503), "with a key:", status, told)
    ready = client.ask("GET", "/readyz")
    check(daemon.lines("full"), "the log does not name it")
    subprocess.check_call(["mount", "-o", "remount,size=30m", folder])
    _, healed = until("healing", lambda: client.ask("PUT", "", document)[0] == 201)
    check(all(client.ask("GET", "/" + one)[0] == 200 for one in made), "a document is lost")
    check(daemon.stop() == 0)
    words = [f"{len(made)} documents, then 503 (readyz {ready[0]}), reads and actions served; "
             f"written again {healed:.2f} s after there was room"]
    # An export to a full disk says so and fails.
    command, full = [house.program, "export", "--config", daemon.config], folder / "export"
    with open(folder / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(1 << 16)):
            pass
    # Room for the database to be opened, not for the export.
    os.truncate(folder / "filler", os.path.getsize(folder / "filler") - (1 << 20))
    export = subprocess.run([*command, "--output", full], capture_output=True, text=True)
    check(export.returncode == 1 and str(full) in export.stderr and not full.exists(), export)
    with open("/dev/full", "wb") as nowhere:
        export = subprocess.run(command, stdout=nowhere, stderr=subprocess.PIPE, text=True)
    check(export.returncode == 1 and "No space left" in export.stderr, export)
    # A log that cannot be written holds up nobody.
    silent = house.daemon({"fs1": house.node(switch)}, log="/dev/full")
    silent.followed()
    check(silent.client().act(silent.room(), "lock")[0] == 200, "an action without a log")
    silent.stop()
    words.append("exports to the full disk and to /dev/full exit with 1 and say so, leaving no file; log on /dev/full: served and stopped as ever")
    return "; ".join(words)


def clock(house):
    """The time of day jumps by a day, forth and back; nothing that lasts is measured by it."""
    found = [str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketime.so.1")]
    check(found, "libfaketime is missing (Debian: apt install libfaketime)")
    offset = Path(tempfile.mkstemp(prefix="convened-clock-")[1])
    house.things.append(offset.unlink)

    def jump(seconds):
        offset.write_text(f"{seconds:+d}\n")

    jump(0)
    fake = {"LD_PRELOAD": found[0], "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    switch, daemon = house.both(variables=fake)
    client, short, room = daemon.client(), daemon.client(), daemon.room()
    short.token = daemon.another_token("--expires", "1h")
    check(short.ask("GET", "")[0] == 200, "a token of an hour")
    check(client.act(room, "lock", Idempotency_Key="one")[0] == 200)
    told = []
    for seconds, its_status in ((DAY, 401), (-DAY, 200), (0, 200)):
        jump(seconds)
        # The fence and its audit go on by the other clock.
        status = short.ask("GET", "")[0]
        check(status == its_status, f"a token of an hour at {seconds:+d} s:", status)
        for action in ("unlock", "lock"):
            status, answer = client.act(room, action)
            check(status == 200, seconds, action, status, answer)
        again = client.act(room, "lock", Idempotency_Key="one")
        check(again[0] == 200, again)
        told.append(f"{seconds // DAY:+d} d: replayed={client.headers.get('Idempotent-Replay', 'no')}")
        shown = client.ask("GET", room)[1]["data"]["_read_only"]
        check(shown["duration"] >= 0, "a negative duration", shown)
        check(client.ask("GET", room + "/audit")[1]["data"], "no audit log")
        check(daemon.condition(client) == "followed", "not followed")
    wrong = daemon.client()
    wrong.token = "0" * 64
    answers = [wrong.ask("GET", "")[0] for _ in range(12)]
    # The token that had ended counts, too.
    check(answers == [401] * 9 + [429] * 3, "wrong tokens", answers)
    for seconds in (DAY, -DAY, 0):
        jump(seconds)
        check(wrong.ask("GET", "")[0] == 429, "a block is lifted by the time of day")
    rows = client.ask("GET", room + "/audit?page_size=50")[1]["data"]
    check(len(rows) >= 7, "rows of the audit log", len(rows))
    reconnects = client.metric("convened_node_reconnects_total")
    drifts = client.metric("convened_node_drifts_total")
    check(reconnects == 0 and drifts == 0, reconnects, "reconnects", drifts, "drifts")
    daemon.stop()
    return "token of an hour: 401 a day later, 200 a day earlier; block, actions, audit log unharmed; " \
           f"idempotency key: {', '.join(told)}; no reconnect, no drift"
