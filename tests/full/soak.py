#!/usr/bin/env python3
"""An hour (or as long as was said) of the demo's traffic at full speed: does the daemon's memory stay flat?

    python3 tests/full/soak.py PROGRAM [--seconds 3600] [--speed max] [--series FILE]

A daemon beside the demo follows the demo's switch, so that its memory is its own and not the switch's. It has
listeners: a websocket and an event stream that read all, a websocket that reads nothing, REST readers, and somebody
who mutes, locks and kicks everybody, so that conferences end and begin. Every ten seconds its memory (VmRSS, VmHWM),
open files, threads, events and the memory of the demo go into the series, and the last line is the verdict. The
first ten minutes are warming up: ended conferences are remembered so long.
"""

import argparse
import base64
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time

from faults.house import Daemon


def status(pid):
    """Fields of /proc/PID/status by name."""
    with open(f"/proc/{pid}/status") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)


def drain(stream):
    while stream.read1(1 << 20):
        pass


class Demo:
    """The switch and its people, and what the welcome says."""

    def __init__(self, program, speed):
        command = [program, "demo", "--listen", "127.0.0.1:0", "--speed", speed]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.rooms = []
        for line in self.process.stdout:
            words = line.decode().split()
            if words[:2] == ["convened", "demo:"]:
                self.port = int(words[-1].split(":")[1])
            if words[:1] == ["curl"] and "/conferences/" in words[-1]:
                self.rooms.append(words[-1].rsplit("/conferences/")[-1].split("/")[0])
            if words[:1] == ["What"]:
                break
        for stream in (self.process.stdout, self.process.stderr):
            threading.Thread(target=drain, args=(stream,), daemon=True).start()


def connect(daemon):
    return http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)


def request(daemon, connection, method, path, body=None):
    connection.request(method, path, body and json.dumps(body), {"X-Auth-Token": daemon.token})
    answer = connection.getresponse()
    return answer.status, answer.read()


class Listeners:
    """Everybody who listens, asks and acts; each counts what it did."""

    def __init__(self, daemon, rooms):
        self.daemon, self.rooms = daemon, rooms
        self.counts = {}
        for name in ("websocket", "idle_websocket", "sse", "reader", "reader2", "actor"):
            self.counts[name] = 0
            work = getattr(self, name.rstrip("2"))
            threading.Thread(target=self.again, args=(name, work), daemon=True).start()

    def again(self, name, work):
        while True:
            try:
                work(name)
            except (OSError, ValueError, http.client.HTTPException):
                # Whoever is too slow is put out, and comes again.
                time.sleep(1)

    def subscribe(self):
        end = socket.create_connection(("127.0.0.1", self.daemon.port))
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET /ws HTTP/1.1\r\nHost: demo\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nX-Auth-Token: {self.daemon.token}\r\n\r\n"
        end.sendall(head.encode())
        message = {"action": "subscribe", "data": {"account_id": "demo", "binding": "conference.event.*.*",
                                                 "snapshot": True}}
        end.sendall(frame(1, json.dumps(message).encode()))
        return end

    def websocket(self, name):
        """Reads everything, and answers pings."""
        reader = self.subscribe().makefile("rwb")
        while reader.readline().strip():
            pass
        while True:
            first, length = reader.read(2)
            if length == 126:
                length = int.from_bytes(reader.read(2), "big")
            elif length == 127:
                length = int.from_bytes(reader.read(8), "big")
            body = reader.read(length)
            if first & 15 == 9:
                reader.write(frame(10, body))
                reader.flush()
            if first & 15 == 8:
                return
            self.counts[name] += 1

    def idle_websocket(self, name):
        """Subscribes and never reads, until it is put out."""
        end = self.subscribe()
        self.counts[name] += 1
        with end:
            while True:
                time.sleep(5)
                end.send(frame(10, b""))

    def sse(self, name):
        connection = connect(self.daemon)
        headers = {"X-Auth-Token": self.daemon.token, "Accept": "text/event-stream"}
        connection.request("GET", f"/v2/accounts/demo/conferences/{self.rooms[0]}/events", headers=headers)
        answer = connection.getresponse()
        while part := answer.read1(1 << 16):
            self.counts[name] += part.count(b"\n\n")

    def reader(self, name):
        connection = connect(self.daemon)
        while True:
            for room in self.rooms:
                for path in ("", f"/{room}", f"/{room}/participants"):
                    status, _ = request(self.daemon, connection, "GET", "/v2/accounts/demo/conferences" + path)
                    assert status < 500, (path, status)
                    self.counts[name] += 1
                    time.sleep(0.05)

    def actor(self, name):
        connection = connect(self.daemon)
        while True:
            for room in self.rooms:
                base = f"/v2/accounts/demo/conferences/{room}"
                action = random.choice(["mute", "unmute", "deaf", "undeaf", "kick"])
                request(self.daemon, connection, "PUT", base + "/participants", {"data": {"action": action}})
                for action in ("lock", "unlock"):
                    request(self.daemon, connection, "PUT", base, {"data": {"action": action}})
                self.counts[name] += 3
            time.sleep(2)


def frame(opcode, body):
    """A websocket frame of a client, masked with zeros."""
    size = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + len(body).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + bytes(4) + body


def events(daemon, connection):
    lines = request(daemon, connection, "GET", "/metrics")[1].decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("convened_node_events_total{"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--speed", default="max")
    parser.add_argument("--series", default="soak.tsv")
    asked = parser.parse_args()
    demo = Demo(asked.program, asked.speed)
    daemon = Daemon(asked.program, {"fs1": (demo.port, "ClueCon", "")}, account="demo")
    daemon.followed()
    listeners, connection = Listeners(daemon, demo.rooms), connect(daemon)
    began, seen, before, rows = time.monotonic(), 0, time.monotonic(), []
    with open(asked.series, "w", buffering=1) as series:
        print("seconds", "rss_kb", "peak_kb", "files", "threads", "events", "events_per_s", "demo_rss_kb", *listeners.counts,
              sep="\t", file=series)
        while daemon.process.poll() is None and time.monotonic() - began < asked.seconds + 10:
            time.sleep(10)
            now, total = time.monotonic(), events(daemon, connection)
            proc = status(daemon.pid)
            rss, peak = (int(proc[name].split()[0]) for name in ("VmRSS", "VmHWM"))
            files = len(os.listdir(f"/proc/{daemon.pid}/fd"))
            rows.append((now - began, rss, files, total))
            print(round(now - began), rss, peak, files, proc["Threads"], round(total),
                  round((total - seen) / (now - before)), status(demo.process.pid)["VmRSS"].split()[0], *listeners.counts.values(), sep="\t", file=series)
            seen, before = total, now
    died = daemon.process.poll()
    daemon.remove()
    demo.process.terminate()
    demo.process.wait()
    return verdict(rows, died)


def verdict(rows, died):
    """Flat: the last sixth is no more than a tenth (or 4 MB) above the second sixth."""
    sixth = max(1, len(rows) // 6)
    early = sorted(row[1] for row in rows[sixth:2 * sixth] or rows)
    late = sorted(row[1] for row in rows[-sixth:])
    early, late = early[len(early) // 2], late[len(late) // 2]
    flat = died is None and late <= max(early * 1.1, early + 4096)
    print(f"memory {'flat' if flat else 'GROWS'}: {rows[-1][0]:.0f} s, {rows[-1][3]:.0f} events, "
          f"RSS {rows[0][1]} kB at first, {early} kB in the second sixth, {late} kB in the last, "
          f"{rows[-1][2]} open files" + (f"; the daemon ended with {died}" if died is not None else ""))
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
