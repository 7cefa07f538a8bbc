"""What a switch and its network do: silence without an end, and garbage."""

import os
import socket
import subprocess
import threading
import time

from .house import check, until


def network(*rule):
    subprocess.check_call(["iptables", *rule])


def half_open(house):
    """The switch is gone without a word: no FIN, no reset, packets vanish. In a network of its own."""
    subprocess.check_call(["ip", "link", "set", "lo", "up"])
    node = "command_timeout_ms = 2000\nconnect_timeout_ms = 2000\nstale_after_s = 2\ngone_after_s = 20\n"
    node += "reconnect_max_ms = 1000\n"
    switch, daemon = house.both(node=node)
    room, client, acting = daemon.room(), daemon.client(), daemon.client()
    vanish = [("INPUT", "-p", "tcp", f"--{side}port", str(switch.port), "-j", "DROP") for side in "sd"]
    for rule in vanish:
        network("-A", *rule)
    began, answers = time.monotonic(), []
    # Sent into the void: nobody may say that it was done.
    thread = threading.Thread(target=lambda: answers.append((acting.act(room, "lock"), time.monotonic() - began)))
    thread.start()
    _, lost = until("loss", lambda: daemon.condition(client) != "followed")
    thread.join()
    (status, answer), after = answers[0]
    check(status in (502, 503, 504), "an action into the void:", status, answer)
    _, stale = until("mark", lambda: client.ask("GET", room)[1]["data"].get("_read_only", {}).get("stale"))
    refused, told = client.act(room, "lock")
    check(refused == 503, "an action on what is stale:", refused, told)
    stale = time.monotonic() - began
    for rule in vanish:
        network("-D", *rule)
    back = daemon.followed()
    check(client.act(room, "lock")[0] == 200, "an action afterwards")
    check(client.metric("convened_node_reconnects_total") >= 1, "no reconnect was counted")
    return f"command_timeout_ms 2000: lost seen after {lost:.1f} s, the action in flight answered {status} " \
           f"{answer['message']} after {after:.1f} s, stale after {stale:.1f} s, actions 503 then; " \
           f"followed again {back:.1f} s after packets came through"


LOGIN = b"Content-Type: auth/request\n\n"
ACCEPTED = b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"


def event(body, length=None):
    return b"Content-Length: %d\nContent-Type: text/event-plain\n\n" % (len(body) if length is None else length) + body


def endless(piece, first=b""):
    yield first
    # As much as would be a burden if it were kept.
    for _ in range(1 + (256 << 20) // len(piece)):
        yield piece


# What is said, and whether it comes after the login.
GARBAGE = {
    "random bytes": (False, lambda: [os.urandom(1 << 20)]),
    "an endless line": (False, lambda: endless(b"x" * 65536)),
    "endless headers": (False, lambda: endless(b"A: b\n" * 10_000)),
    "nul bytes": (False, lambda: [b"\0" * 65536]),
    "HTTP": (False, lambda: [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno\n"]),
    "Content-Length: 2^64": (True, lambda: [b"Content-Type: text/event-plain\nContent-Length: %d\n\n" % (1 << 64)]),
    "Content-Length: -1": (True, lambda: [b"Content-Type: text/event-plain\nContent-Length: -1\n\n"]),
    "a body of 1 GiB": (True, lambda: endless(b"x" * 65536, event(b"", 1 << 30))),
    "a reply of 1 GiB": (True, lambda: endless(b"x" * 65536, b"Content-Type: api/response\nContent-Length: %d\n\n" % (1 << 30))),
    "an event of garbage": (True, lambda: [event(os.urandom(10_000))]),
    "an event of nul bytes": (True, lambda: [event(b"\0" * 10_000)]),
    "broken JSON": (True, lambda: [b"Content-Length: 9\nContent-Type: text/event-json\n\n{\"a\": [1," * 1000]),
    "unknown content types": (True, lambda: [b"Content-Type: text/nonsense\nContent-Length: 4\n\n\xff\xfe\x00\n" * 1000]),
    "replies nobody asked for": (True, lambda: [b"Content-Type: command/reply\nReply-Text: +OK\n\n" * 1000]),
    "random bytes after login": (True, lambda: [os.urandom(1 << 20)]),
}


class Babbler:
    """Listens as a switch would, and says one kind of garbage on each connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.kind, self.connections, self.said = None, 0, 0
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            end, _ = self.listener.accept()
            self.connections += 1
            threading.Thread(target=self.babble, args=(end, self.kind), daemon=True).start()

    def babble(self, end, kind):
        late, words = GARBAGE[kind]
        try:
            with end:
                if late:
                    end.sendall(LOGIN)
                    end.recv(1024)
                    end.sendall(ACCEPTED)
                    end.recv(1024)
                for word in words():
                    end.sendall(word)
                    self.said += len(word)
                end.settimeout(20)
                while end.recv(65536):
                    pass
        except OSError:
            pass


def garbage(house):
    """A switch that says anything but what it should; another one is followed meanwhile."""
    switch, babbler = house.switch(), Babbler()
    babbler.kind = next(iter(GARBAGE))
    patience = "command_timeout_ms = 1000\nconnect_timeout_ms = 1000\nreconnect_max_ms = 300\n"
    nodes = {"good": house.node(switch), "bad": (babbler.port, "x", patience)}
    daemon = house.daemon(nodes)
    daemon.followed("good")
    client, room, before = daemon.client(), daemon.room(), daemon.rss()
    most, told = before, 0
    for kind in GARBAGE:
        babbler.kind, at = kind, babbler.connections
        began = time.monotonic()
        # Left, and tried again: with the same garbage, so the second connection is the end of the first.
        while babbler.connections < at + 3:
            check(time.monotonic() - began < 60, kind, "is not left")
            most = max(most, daemon.rss())
            time.sleep(0.01)
        check(daemon.condition(client, "good") == "followed", kind, "harms the other node")
        check(daemon.condition(client, "bad") != "followed", kind, "is followed")
        check(client.act(room, "lock")[0] == 200 and client.act(room, "unlock")[0] == 200, kind, "and actions")
    lines = daemon.lines('"bad"')
    check(any(str(babbler.port) in line for line in lines), "the log does not name the peer")
    check(not daemon.lines("panic"), "a panic")
    check(most - before < 40_000, "kB more:", most - before)
    # And a real switch is found again at that address.
    return f"{len(GARBAGE)} kinds, {babbler.connections} connections, {babbler.said >> 20} MiB said: at most " \
           f"{(most - before) / 1000:.1f} MB more, {len(lines)} log lines; the other node was followed all along"
