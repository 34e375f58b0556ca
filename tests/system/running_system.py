"""The real house, for tests: its processes, started over data of their own, and a client that talks to it over HTTP.

Whatever is started is stopped again, whole process groups of it and nothing else. What the processes say is kept in
the running_system's folder, and a process runs in that folder, so that whatever it writes is found there.
"""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from email.message import Message
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

import psycopg

ROOT = Path(__file__).resolve().parents[2]
PYTHON = [sys.executable]
MANAGE = [*PYTHON, str(ROOT / "manage.py")]
TIMEOUT = 180.0
"""Seconds to wait for what must happen. A test ends as soon as it happens, so the limit is for a very busy machine."""
ADDRESS = {
    "recipient": "Ada Lovelace",
    "street": "12 St James's Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}

T = TypeVar("T")


def eventually(look: Callable[[], T], is_it: Callable[[T], bool], what: str, within: float = TIMEOUT) -> T:
    """What `look` sees once it is what was expected; fails with the last thing seen after `within` seconds."""
    deadline = time.monotonic() + within
    while not is_it(seen := look()):
        assert time.monotonic() < deadline, f"{what} was expected within {within:g} s; it still is {seen!r}"
        time.sleep(0.03)
    return seen


def free_port() -> int:
    """A port nobody listens to."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Program:
    """A program in a process group of its own, and all it said."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, user: str | None = None
    ) -> None:
        self._log = log
        self._said_before = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
            )

    @property
    def pid(self) -> int:
        """Its process, which leads its group."""
        return self._process.pid

    @property
    def children(self) -> list[int]:
        """The processes it started itself."""
        try:
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        except FileNotFoundError:
            return []

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """What it said since it was started."""
        return self._log.read_bytes()[self._said_before :].decode(errors="replace")

    def signal_group(self, number: signal.Signals) -> None:
        """Send every process of the group a signal, as a terminal does on Ctrl-C."""
        os.killpg(self._process.pid, number)

    def terminate(self) -> None:
        """Ask it to end, as a process manager does; its children are its own business."""
        self._process.terminate()

    def wait(self, seconds: float) -> int:
        """Its exit code; raises `subprocess.TimeoutExpired` if it runs on."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it and its children as a power cut does."""
        with contextlib.suppress(ProcessLookupError):
            self.signal_group(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it, and whatever it leaves behind, by force if it takes its time."""
        if self.exit_code is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait(15)
        self.kill()


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Message
    body: Any


class Client:
    """Someone who talks to a house over REST."""

    def __init__(self, port: int, token: str = "") -> None:
        self.port = port
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **query: str) -> Answer:
        return self.ask("GET", f"/api/v1{path}?{urlencode(query)}" if query else f"/api/v1{path}")

    def post(self, path: str, body: object = None) -> Answer:
        return self.ask("POST", f"/api/v1{path}", {} if body is None else body)

    def ask(self, method: str, path: str, body: object = None, more: Mapping[str, str] | None = None) -> Answer:
        """One request on a connection of its own; raises `OSError` or `HTTPException` when nobody answers.

        Args:
            body: sent as JSON, but bytes as they are.
            more: headers.
        """
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        headers = {**self._headers, "Content-Type": "application/json", **(more or {})}
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, sent, headers)
        with connection.getresponse() as answer:
            text = answer.read()
        connection.close()
        return Answer(answer.status, answer.headers, json.loads(text) if text else None)

    # --- What is done again and again; each fails unless it succeeds ---

    def log_in(self, username: str, password: str) -> "Client":
        """The same, with a token."""
        answer = self.post("/auth/tokens", {"username": username, "password": password})
        assert answer.status == 201, answer
        return Client(self.port, answer.body["token"])

    def place(self, lines: Mapping[str, int], method: str = "pm_card_visa") -> str:
        """The number of a new order."""
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
        order = {"lines": wanted, "shipping_address": ADDRESS, "payment_method": method}
        answer = self.post("/orders", order)
        assert answer.status == 201, answer
        return answer.body["number"]

    def order(self, number: str) -> dict[str, Any]:
        answer = self.get(f"/orders/{number}")
        assert answer.status == 200, answer
        return answer.body

    def order_once(self, number: str, status: str, within: float = TIMEOUT) -> dict[str, Any]:
        """The order as soon as it has this status."""
        return eventually(
            lambda: self.order(number), lambda order: order["status"] == status, f"{number} {status}", within
        )

    def timeline(self, number: str) -> list[dict[str, Any]]:
        answer = self.get(f"/orders/{number}/timeline")
        assert answer.status == 200, answer
        return answer.body

    def stock(self, sku: str) -> dict[str, int]:
        """What there is of a sku, and how much of that is promised."""
        answer = self.get(f"/stock/{sku}")
        assert answer.status == 200, answer
        return {name: answer.body[name] for name in ("on_hand", "reserved", "available")}

    def shipment_of(self, number: str) -> dict[str, Any]:
        """The one shipment of an order, as soon as it is arranged."""
        found = eventually(
            lambda: self.get("/shipments", order=number).body["results"], bool, f"a shipment of {number}"
        )
        assert len(found) == 1
        return found[0]


class System:
    """All processes of one installation, over its own data.

    Args:
        folder: where they run, and where what they say is kept.
        environment: theirs.
        commands: by the name of a process, what it runs.
        port: where the web is served.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], commands: Mapping[str, Sequence[str]], port: int
    ) -> None:
        self.folder = folder
        self.environment = environment
        self.port = port
        self.programs: dict[str, Program] = {}
        self.commands = commands
        self.visitor = Client(port)

    @property
    def worker(self) -> str:
        """The name of the process that does what is delivered."""
        return "worker" if "worker" in self.commands else "serve"

    def open(self) -> None:
        """Start every process, and wait until an order placed now would find the whole house awake."""
        for name in self.commands:
            self.start(name)
        self.wait_until_ready()
        buyer = self.visitor.log_in("buyer", "buyer")
        buyer.order_once(buyer.place({"SPORK-TITANIUM": 1}), "confirmed")

    def wait_until_ready(self) -> None:
        """Wait until the web answers, and reaches the database and the broker."""
        eventually(self._health, lambda health: health.startswith("200"), "a house that is ready")

    def start(self, name: str) -> None:
        """Start one of its processes."""
        log = self.folder / f"{name}.log"
        self.programs[name] = Program(self.commands[name], self.folder, self.environment, log)

    def deploy(self, code: Path) -> None:
        """Have whatever is started from now on run the code in another folder."""
        self.environment = {**self.environment, "PYTHONPATH": str(code)}
        self.commands = {
            name: [str(code / "manage.py") if Path(part).name == "manage.py" else part for part in command]
            for name, command in self.commands.items()
        }

    def run(self, code: Path, *arguments: str) -> str:
        """What a `manage.py` command of the code in a folder says, over the running_system's data; it must succeed."""
        done = subprocess.run(
            [*PYTHON, str(code / "manage.py"), *arguments],
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(code)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def kill(self, name: str) -> None:
        """End one of its processes, with its children, as a power cut does."""
        self.programs.pop(name).kill()

    def close(self) -> None:
        """Stop whatever still runs, gently."""
        for program in self.programs.values():
            program.terminate()
        while self.programs:
            self.programs.popitem()[1].stop()

    def tear_down(self) -> None:
        """End whatever still runs, now."""
        for name in list(self.programs):
            self.kill(name)

    def _health(self) -> str:
        for name, program in self.programs.items():
            assert program.exit_code is None, f"{name} ended with {program.exit_code}:\n{program.output}"
        try:
            answer = self.visitor.ask("GET", "/readyz")
        except (OSError, HTTPException) as error:
            return str(error)
        return f"{answer.status} {answer.body}"

    @property
    def output(self) -> dict[str, str]:
        """Everything its processes ever said, by the name of the process."""
        return {log.stem: log.read_text(errors="replace") for log in sorted(self.folder.glob("*.log"))}

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """Look into its database, past everything."""
        url = self.environment["DATABASE_URL"]
        if url.startswith("sqlite:///"):
            with sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20) as database:
                return database.execute(sql).fetchall()
        with psycopg.connect(url.partition("?")[0]) as server:
            return server.execute(sql).fetchall()

    def count_pending(self) -> int:
        """How many deliveries wait to be handled."""
        return self.read("SELECT count(*) FROM integration_delivery WHERE status = 'pending'")[0][0]
