"""A running system for tests: its processes, started with data of their own, and an HTTP client for it.

Each process leads a process group, and the whole group is stopped at the end. Processes run in the system's folder,
which also holds their output, so that a test finds every file they write.
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
    """Call `look` until `is_it` accepts the result; returns that result.

    Args:
        what: what is expected, for the message of the failure.
        within: the seconds after which it fails with the last result.
    """
    deadline = time.monotonic() + within
    while not is_it(seen := look()):
        assert time.monotonic() < deadline, f"{what} was expected within {within:g} s; it still is {seen!r}"
        time.sleep(0.03)
    return seen


def free_port() -> int:
    """A TCP port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Program:
    """A program in a process group of its own, whose output goes to a file.

    Args:
        command: the program and its arguments.
        folder: its working directory.
        environment: its environment variables.
        log: the file to which its output is appended.
        user: the user it runs as; None for the current user.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, user: str | None = None
    ) -> None:
        self._log = log
        self._log_size_before = log.stat().st_size if log.exists() else 0
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
        """The id of its process, which is also the id of its process group."""
        return self._process.pid

    @property
    def children(self) -> list[int]:
        """The ids of its direct child processes."""
        try:
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        except FileNotFoundError:
            return []

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """Its output since it was started."""
        return self._log.read_bytes()[self._log_size_before :].decode(errors="replace")

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to every process of the group, as a terminal does on Ctrl-C."""
        os.killpg(self._process.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM to its process only, as a process manager does."""
        self._process.terminate()

    def wait(self, seconds: float) -> int:
        """Wait for its end; returns the exit code, and raises `subprocess.TimeoutExpired` after so many seconds."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL every process of the group."""
        with contextlib.suppress(ProcessLookupError):
            self.signal_group(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Wait up to 15 seconds for its end, and then SIGKILL what is left of its group."""
        if self.exit_code is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait(15)
        self.kill()


class Response(NamedTuple):
    """An HTTP response: its status, its headers, and its JSON body or None."""

    status: int
    headers: Message
    body: Any


class Client:
    """An HTTP client of a system.

    Args:
        port: the port of the system's web process.
        token: an API token; anonymous without.
    """

    def __init__(self, port: int, token: str = "") -> None:
        self.port = port
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **query: str) -> Response:
        return self.ask("GET", f"/api/v1{path}?{urlencode(query)}" if query else f"/api/v1{path}")

    def post(self, path: str, body: object = None) -> Response:
        return self.ask("POST", f"/api/v1{path}", {} if body is None else body)

    def ask(self, method: str, path: str, body: object = None, more: Mapping[str, str] | None = None) -> Response:
        """Send one request on a new connection; raises `OSError` or `HTTPException` without a response.

        Args:
            body: is sent as JSON; bytes are sent as they are.
            more: more headers.
        """
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        headers = {**self.headers, "Content-Type": "application/json", **(more or {})}
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, sent, headers)
        with connection.getresponse() as response:
            text = response.read()
        connection.close()
        return Response(response.status, response.headers, json.loads(text) if text else None)

    # --- Common requests; each fails unless the response is a success ---

    def log_in(self, username: str, password: str) -> "Client":
        """Log in; returns a client with a token."""
        response = self.post("/auth/tokens", {"username": username, "password": password})
        assert response.status == 201, response
        return Client(self.port, response.body["token"])

    def place(self, lines: Mapping[str, int], method: str = "pm_card_visa") -> str:
        """Place an order; returns its number."""
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
        order = {"lines": wanted, "shipping_address": ADDRESS, "payment_method": method}
        response = self.post("/orders", order)
        assert response.status == 201, response
        return response.body["number"]

    def order(self, number: str) -> dict[str, Any]:
        response = self.get(f"/orders/{number}")
        assert response.status == 200, response
        return response.body

    def order_once(self, number: str, status: str, within: float = TIMEOUT) -> dict[str, Any]:
        """Wait until an order has this status; returns the order."""
        return eventually(
            lambda: self.order(number), lambda order: order["status"] == status, f"{number} {status}", within
        )

    def timeline(self, number: str) -> list[dict[str, Any]]:
        response = self.get(f"/orders/{number}/timeline")
        assert response.status == 200, response
        return response.body

    def stock(self, sku: str) -> dict[str, int]:
        """The units of a SKU that are on hand, reserved and available."""
        response = self.get(f"/stock/{sku}")
        assert response.status == 200, response
        return {name: response.body[name] for name in ("on_hand", "reserved", "available")}

    def shipment_of(self, number: str) -> dict[str, Any]:
        """Wait until an order has a shipment; returns it, and fails if there are more."""
        found = eventually(
            lambda: self.get("/shipments", order=number).body["results"], bool, f"a shipment of {number}"
        )
        assert len(found) == 1
        return found[0]


class System:
    """All processes of one installation, with data of their own.

    Args:
        folder: the working directory of the processes, and the place of their output.
        environment: their environment variables.
        commands: the command of each process, by its name.
        port: the port of the web process.
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
        """The name of the process that handles deliveries."""
        return "worker" if "worker" in self.commands else "serve"

    def open(self) -> None:
        """Start every process, place an order, and wait until it is confirmed, so that all processes work."""
        for name in self.commands:
            self.start(name)
        self.wait_until_ready()
        buyer = self.visitor.log_in("buyer", "buyer")
        buyer.order_once(buyer.place({"SPORK-TITANIUM": 1}), "confirmed")

    def wait_until_ready(self) -> None:
        """Wait until `/readyz` is 200: the web process reaches the database and the broker."""
        eventually(self._health, lambda health: health.startswith("200"), "a system that is ready")

    def start(self, name: str) -> None:
        """Start one of its processes."""
        log = self.folder / f"{name}.log"
        self.programs[name] = Program(self.commands[name], self.folder, self.environment, log)

    def deploy(self, code: Path) -> None:
        """Let processes that start from now on run the code in another folder."""
        self.environment = {**self.environment, "PYTHONPATH": str(code)}
        self.commands = {
            name: [str(code / "manage.py") if Path(part).name == "manage.py" else part for part in command]
            for name, command in self.commands.items()
        }

    def run(self, code: Path, *arguments: str) -> str:
        """Run a `manage.py` command of the code in a folder; returns its output, and fails unless it succeeds."""
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
        """SIGKILL one of the processes and its children."""
        self.programs.pop(name).kill()

    def close(self) -> None:
        """Stop all processes with SIGTERM."""
        for program in self.programs.values():
            program.terminate()
        while self.programs:
            self.programs.popitem()[1].stop()

    def tear_down(self) -> None:
        """SIGKILL all processes."""
        for name in list(self.programs):
            self.kill(name)

    def _health(self) -> str:
        for name, program in self.programs.items():
            assert program.exit_code is None, f"{name} ended with {program.exit_code}:\n{program.output}"
        try:
            response = self.visitor.ask("GET", "/readyz")
        except (OSError, HTTPException) as error:
            return str(error)
        return f"{response.status} {response.body}"

    @property
    def output(self) -> dict[str, str]:
        """The whole output of each process, by its name."""
        return {log.stem: log.read_text(errors="replace") for log in sorted(self.folder.glob("*.log"))}

    @property
    def is_on_postgresql(self) -> bool:
        """Whether its database is PostgreSQL; the alternative is SQLite."""
        return self.environment["DATABASE_URL"].startswith("postgres")

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement on its database without Django; returns the rows."""
        with self._connect() as database:
            return database.execute(sql).fetchall()

    def execute(self, *statements: str) -> None:
        """Run statements on its database without Django, in one transaction."""
        with self._connect() as database:
            for statement in statements:
                database.execute(statement)

    def _connect(self) -> Any:
        url = self.environment["DATABASE_URL"]
        if self.is_on_postgresql:
            return psycopg.connect(url.partition("?")[0])
        return sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)

    def lose_wake_up(self) -> int:
        """Make a delivery due again without a wake-up, as if the broker had lost it; returns the delivery's id."""
        again = """
            UPDATE integration_delivery
            SET status = 'pending', in_hand = FALSE, done_at = NULL, due_at = '2020-01-01 00:00:00'
            WHERE id = (SELECT max(id) FROM integration_delivery
                        WHERE consumer = 'inventory.commit-reservation' AND status = 'done')
            RETURNING id
        """
        [(delivery,)] = eventually(lambda: self.read(again), bool, "a delivery that was handled")
        return delivery

    def is_done(self, delivery: int) -> bool:
        """Whether a delivery was handled."""
        return self.read(f"SELECT status FROM integration_delivery WHERE id = {delivery}") == [("done",)]  # noqa: S608

    def count_pending(self) -> int:
        """The number of pending deliveries."""
        return self.read("SELECT count(*) FROM integration_delivery WHERE status = 'pending'")[0][0]
