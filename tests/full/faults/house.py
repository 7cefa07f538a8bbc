"""The real program under test: a simulated switch, a daemon, and what can be asked of them."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ACCOUNT = "acme"
ROOT = Path(__file__).resolve().parents[3]
# Leaves a conference with three people behind.
CAPTURE = ROOT / "fixtures" / "captures" / "reconnect.1.jsonl"
PATIENCE = 60


class Failed(Exception):
    """A fault was not survived."""


def check(condition, *words):
    if not condition:
        raise Failed(" ".join(str(word) for word in words))


def until(what, look, seconds=PATIENCE):
    """Looks until there is something; gives it, and after how many seconds."""
    began = time.monotonic()
    while True:
        found = look()
        if found:
            return found, time.monotonic() - began
        check(time.monotonic() - began < seconds, "after", seconds, "s there is no", what)
        time.sleep(0.02)


def free_port():
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return end.getsockname()[1]


class Switch:
    """A recording played at once, after which its commands are still answered."""

    def __init__(self, program, port=None):
        self.program, self.port = program, port or free_port()
        self.room = None
        self.start()

    def start(self):
        command = [self.program, "replay", CAPTURE, "--listen", f"127.0.0.1:{self.port}", "--speed", "max"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if line.startswith("password"):
                self.password = line.split()[1]
                return
        raise Failed("the simulated switch does not start")

    def api(self, line):
        """Another controller's command."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as end, end.makefile("rb") as reader:
            end.sendall(f"auth {self.password}\n\napi {line}\n\n".encode())
            while not (head := reader.readline()).startswith(b"Content-Length"):
                check(head, "the switch closed")
            reader.readline()
            return reader.read(int(head.split(b":")[1])).decode()

    def stop(self):
        self.process.kill()
        self.process.wait()


class Client:
    """A connection that is kept, and counts how long the slowest answer took."""

    def __init__(self, daemon, token=None, timeout=PATIENCE):
        self.token, self.slowest = token, 0.0
        self.connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=timeout)

    def ask(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            headers["X-Auth-Token"] = self.token
        if not path.startswith(("/v2/", "/healthz", "/readyz", "/metrics")):
            path = f"/v2/accounts/{ACCOUNT}/conferences{path}"
        began = time.monotonic()
        self.connection.request(method, path, body and json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.headers = answer.headers
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode()

    def act(self, path, action, **headers):
        return self.ask("PUT", path, {"data": {"action": action}}, **headers)

    def metric(self, name):
        page = self.ask("GET", "/metrics")[1].splitlines()
        return sum(float(line.split()[-1]) for line in page if line.split("{")[0].split(" ")[0] == name)


class Daemon:
    """`convened run` in a folder of its own; `sections` are lines of its configuration by section."""

    def __init__(self, program, nodes, sections=None, wrap=(), variables=None, database=None, log="file",
                 account=ACCOUNT):
        self.program = program
        self.folder = Path(tempfile.mkdtemp(prefix="convened-faults-"))
        self.config = self.folder / "convened.toml"
        # The operating system gives away a port that nobody has; the log may be unreadable here.
        self.port = free_port()
        sections = dict(sections or {})
        sections["api"] = f'listen = "127.0.0.1:{self.port}"\n' + sections.get("api", "")
        sections["database"] = f'url = "sqlite://{database or self.folder / "convened.db"}"\n'
        sections["conference"] = f'default_account = "{account}"\n' + sections.get("conference", "")
        text = "".join(f"[{name}]\n{lines}\n" for name, lines in sections.items())
        for name, (port, password, more) in nodes.items():
            text += f'[[node]]\nname = "{name}"\naddress = "127.0.0.1:{port}"\npassword = "{password}"\n{more}\n'
        self.config.write_text(text)
        self.log = self.folder / "log"
        self.variables = {**os.environ, **(variables or {})}
        self.start(wrap, open(self.log, "ab") if log == "file" else open(log, "wb"))

    def start(self, wrap, log):
        command = [*wrap, self.program, "run", "--config", self.config]
        self.process = subprocess.Popen(command, stderr=log, env=self.variables)
        self.pid = self.process.pid
        until("answer of /healthz", self.answers)
        self.token = self.another_token()

    def another_token(self, *more):
        # Whose a conference is that was listed only, not every switch tells: a superuser sees it.
        command = [self.program, "token", "create", "--config", self.config, "--superuser"]
        made = subprocess.run([*command, "--scope", "read,control,write", *more], capture_output=True, text=True)
        check(made.returncode == 0, made.stderr)
        return made.stdout.strip()

    def answers(self):
        check(self.process.poll() is None, "the daemon ended:", self.log.exists() and self.log.read_text())
        try:
            return self.client().ask("GET", "/healthz")[0] == 200
        except OSError:
            return False

    def client(self, **more):
        return Client(self, getattr(self, "token", None), **more)

    def connect(self, data=b""):
        end = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        end.sendall(data)
        return end

    def followed(self, node="fs1"):
        """Waits until the node is followed; how long it took."""
        client = self.client()
        return until(f"followed {node}", lambda: self.condition(client, node) == "followed")[1]

    def condition(self, client, node="fs1"):
        return client.ask("GET", "/readyz")[1]["data"]["nodes"].get(node)

    def room(self):
        """The name of the conference that runs."""
        client = self.client()
        rooms, _ = until("conference", lambda: client.ask("GET", "")[1]["data"])
        return "/" + rooms[0]["id"]

    def status(self, name):
        with open(f"/proc/{self.pid}/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))

    def rss(self):
        """Kilobytes."""
        return self.status("VmRSS")

    def cpu(self):
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def lines(self, *words):
        """Lines of the log with all these words."""
        return [line for line in self.log.read_text().splitlines() if all(word in line for word in words)]

    def limit(self, resource):
        subprocess.check_call(["prlimit", f"--pid={self.pid}", f"--{resource}"])

    def stop(self):
        """Ends it as systemd does."""
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        check(code == 0, "exit code", code)
        return code

    def remove(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class House:
    """A switch and a daemon that follows it, for one fault; all of it is gone afterwards."""

    def __init__(self, program):
        self.program, self.things = program, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for thing in reversed(self.things):
            thing()

    def switch(self):
        switch = Switch(self.program)
        self.things.append(switch.stop)
        return switch

    def node(self, switch, more=""):
        return (switch.port, switch.password, more)

    def daemon(self, nodes, **more):
        daemon = Daemon(self.program, nodes, **more)
        self.things.append(daemon.remove)
        return daemon

    def both(self, node="", **more):
        switch = self.switch()
        daemon = self.daemon({"fs1": self.node(switch, node)}, **more)
        daemon.followed()
        return switch, daemon
