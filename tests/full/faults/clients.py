"""What clients do: too many, too slow, too large, too fast."""

import select
import socket
import threading
import time

from .house import ACCOUNT, check, until

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def open_many(daemon, count, data=b""):
    return [daemon.connect(data) for _ in range(count)]


def closed(end, seconds=0):
    """Whether the other side has closed; reads what it has said before."""
    end.settimeout(seconds or 0.001)
    try:
        while end.recv(1 << 16):
            pass
        return True
    except ConnectionError:
        return True
    except OSError:
        return False


def serve_others(daemon, room, rounds=20):
    """Somebody else reads and acts; the slowest answer in milliseconds."""
    client = daemon.client()
    for turn in range(rounds):
        status, answer = client.ask("GET", room + "/participants")
        check(status == 200, "others:", status, answer)
        status, answer = client.act(room, ("lock", "unlock")[turn % 2])
        check(status == 200, "others:", status, answer)
    return client.slowest * 1000


def idle(house):
    """Ten thousand idle connections, where so many are allowed."""
    limits = "max_connections = 12000\nidle_timeout_s = 600\n"
    _, daemon = house.both(sections={"api": limits}, wrap=["prlimit", "--nofile=20000:20000"])
    room = daemon.room()
    quiet, before = serve_others(daemon, room), daemon.rss()
    rss = []
    # Twice: what the first ten thousand leave behind the next ones use, but for what lies scattered.
    for _ in range(2):
        ends = open_many(daemon, 10_000, HEALTH)
        for end in ends:
            check(end.recv(4096).startswith(b"HTTP/1.1 200"), "an idle connection")
        slowest, cpu = serve_others(daemon, room), daemon.cpu()
        time.sleep(5)
        cpu = daemon.cpu() - cpu
        rss.append(daemon.rss())
        for end in ends:
            end.close()
        until("end of them", lambda: daemon.files() < 100)
    each = (rss[0] - before) / len(ends)
    check(each < 32 and rss[1] < rss[0] * 1.4, "kB with them:", rss)
    return f"10,000 open: {each:.1f} kB each ({before} kB before), {cpu:.2f} s CPU in 5 s; " \
           f"slowest of 40 other answers {slowest:.0f} ms ({quiet:.0f} ms before); {rss[0]} kB, the second time {rss[1]} kB, {daemon.rss()} kB after"


def full(house):
    """More connections than are allowed, as it is by default."""
    switch, daemon = house.both(wrap=["prlimit", "--nofile=20000:20000"])
    room, kept = daemon.room(), daemon.client()
    kept.ask("GET", "")
    until("place", lambda: kept.metric("convened_http_open_connections") == 1)
    ends = open_many(daemon, 1023, HEALTH)
    for end in ends:
        check(end.recv(4096).startswith(b"HTTP/1.1 200"), "connection 1 to 1,024")
    one_more = daemon.connect(HEALTH)
    refusal = one_more.recv(4096)
    check(b" 503 " in refusal and b"too_many_connections" in refusal and b"retry-after" in refusal, refusal)
    until("word of it in the log", lambda: daemon.lines("api.max_connections"))
    # Who is in goes on, and so does the switch.
    switch.api(f"conference {room[1:]} lock")
    until("event", lambda: kept.ask("GET", room)[1]["data"]["_read_only"]["is_locked"])
    check(kept.act(room, "unlock")[0] == 200, "an action")
    # A thousand more at once: they are turned away, and the log stays small.
    more = open_many(daemon, 1000)
    until("refusals", lambda: kept.metric("convened_http_refused_connections_total") >= 1001)
    lines = len(daemon.lines("api.max_connections"))
    check(lines <= 12, lines, "lines for 1,000 refusals")
    ends.pop().close()
    _, again = until("place", lambda: b" 200 " in ask_once(daemon))
    for end in (*ends, *more):
        end.close()
    return f"the 1,025th is answered 503 with Retry-After, those that are in and the switch go on; " \
           f"{lines} log lines for 1,001 refusals; a free place is given {again * 1000:.0f} ms later"


def ask_once(daemon):
    """The answer, or nothing: of many refusals at once some are without a word."""
    try:
        with daemon.connect(HEALTH) as end:
            return end.recv(4096)
    except ConnectionError:
        return b""


def slow(house):
    """Heads and bodies that drip in, answers that nobody reads."""
    limits = "header_timeout_ms = 3000\nbody_timeout_ms = 3000\nidle_timeout_s = 3\n"
    _, daemon = house.both(sections={"api": limits, "events": "idle_timeout_s = 5\n"})
    room, before = daemon.room(), daemon.rss()
    token = f"X-Auth-Token: {daemon.token}\r\n".encode()
    path = f"/v2/accounts/{ACCOUNT}/conferences".encode()
    heads = open_many(daemon, 300, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    bodies = open_many(daemon, 300, b"PUT " + path + b" HTTP/1.1\r\nHost: x\r\n" + token
                       + b"Content-Length: 5000\r\n\r\n{")
    drips = heads + bodies
    stop = threading.Event()

    def drip():
        while not stop.wait(0.5):
            for end in drips:
                try:
                    end.send(b"x")
                except OSError:
                    pass

    threading.Thread(target=drip, daemon=True).start()
    # Each asks for a large answer two hundred times and reads none of them.
    large = b"GET /v2/asyncapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200
    deaf = []
    for _ in range(50):
        end = socket.socket()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end.connect(("127.0.0.1", daemon.port))
        end.setblocking(False)
        end.send(large)
        deaf.append(end)
    began, slowest, most = time.monotonic(), 0.0, daemon.rss()
    client = daemon.client()
    while (still := client.metric("convened_http_open_connections")) > 3:
        slowest, most = max(slowest, serve_others(daemon, room, 5)), max(most, daemon.rss())
        check(time.monotonic() - began < 30, still, "slow connections are still open")
        time.sleep(0.1)
    lasted = time.monotonic() - began
    stop.set()
    for end in (*drips, *deaf):
        end.close()
    check(most - before < 100_000, "kB more:", most - before)
    return f"300 dripping heads, 300 dripping bodies, 50 that read nothing, timeouts of 3 s: all gone after " \
           f"{lasted:.1f} s, at most {(most - before) / 1000:.1f} MB more, others' slowest answer {slowest:.0f} ms"


def large(house):
    """A body of a gibibyte that is announced, and one without an end."""
    _, daemon = house.both()
    room, before = daemon.room(), daemon.rss()
    put = f"PUT /v2/accounts/{ACCOUNT}/conferences HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {daemon.token}\r\n"
    began = time.monotonic()
    with daemon.connect(f"{put}Content-Length: {1 << 30}\r\n\r\n".encode()) as end:
        announced = end.recv(4096)
    at_once = (time.monotonic() - began) * 1000
    check(announced.startswith(b"HTTP/1.1 413") and at_once < 1000, announced, at_once, "ms")
    sent, most = [], before
    # Those who send on whatever they are told.
    for head in (f"{put}Content-Length: {1 << 30}\r\n\r\n", f"{put}Transfer-Encoding: chunked\r\n\r\n"):
        with daemon.connect(head.encode()) as end:
            piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n" if "chunked" in head else b"x" * 0x10000
            told, count, began = b"", 0, time.monotonic()
            try:
                while count < 1 << 30 and time.monotonic() - began < 60:
                    if not told and select.select([end], [], [], 0)[0]:
                        told = end.recv(4096)
                    end.sendall(piece)
                    count += len(piece)
                    most = max(most, daemon.rss())
            except OSError:
                pass
            told = told or end.recv(4096)
            check(told.startswith(b"HTTP/1.1 413"), told)
            check(count < 1 << 30, "a whole gibibyte was taken")
            sent.append(count >> 20)
    check(most - before < 20_000, "kB more:", most - before)
    serve_others(daemon, room)
    return f"Content-Length of 1 GiB: 413 after {at_once:.0f} ms; who sends all the same is cut off after " \
           f"{sent[0]} MiB, a chunked body without end after {sent[1]} MiB; {(most - before) / 1000:.1f} MB more"


def flood(house):
    """More requests than are allowed, of one token; another token's are served."""
    limit = 200
    _, daemon = house.both(sections={"api": f"max_requests_per_s = {limit}\n"})
    room, counts, stop = daemon.room(), {}, threading.Event()
    other = daemon.another_token()
    retry = []

    def hammer():
        client = daemon.client()
        while not stop.is_set():
            status = client.ask("GET", room)[0]
            counts[status] = counts.get(status, 0) + 1
            if status == 429:
                retry.append(client.headers["Retry-After"])

    threads = [threading.Thread(target=hammer, daemon=True) for _ in range(8)]
    quiet, began = serve_others(daemon, room), time.monotonic()
    for thread in threads:
        thread.start()
    mine, slowest = daemon.token, 0.0
    daemon.token = other
    # Slowly enough to stay within the limit itself.
    while time.monotonic() - began < 10:
        slowest = max(slowest, serve_others(daemon, room, 5))
        time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join()
    lasted = time.monotonic() - began
    daemon.token = mine
    check(set(counts) == {200, 429}, counts)
    check(counts[200] <= limit * (lasted + 1) + 100, counts, "in", lasted, "s")
    check(counts[429] > 100 and set(retry) == {"1"}, counts, set(retry))
    time.sleep(1)
    check(daemon.client().ask("GET", room)[0] == 200, "after it")
    lines = len(daemon.lines("max_requests_per_s"))
    check(1 <= lines <= 40, lines, "log lines")
    return f"{sum(counts.values()) / lasted:.0f} requests/s of one token for {lasted:.0f} s at a limit of {limit}/s: " \
           f"{counts[200]} served, {counts[429]} answered 429; another token's slowest answer {slowest:.0f} ms " \
           f"({quiet:.0f} ms before), none refused; {lines} log lines"
