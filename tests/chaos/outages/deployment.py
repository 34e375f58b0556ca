"""A deployment while orders flow: systems of two versions of the code side by side, on one database and broker.

Clients send requests to the webs in service, as through a load balancer. A web that is to stop gets no more of them.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from tests.system.running_system import PYTHON, ROOT, Client, System, eventually, free_port

HEALED_WITHIN = 15.0
LONGEST_REQUEST = 5.0
CLIENTS = 4
SKU = "MUG-ENAMEL-CREAM"


class Stage(NamedTuple):
    """The environment of a row: where its files are, and the servers that its systems share.

    Args:
        folder: a new folder.
        server: the URL of the PostgreSQL server, without a database.
        broker: the URL of the broker.
        name: the name of the database and the prefix of the queues.
    """

    folder: Path
    server: str
    broker: str
    name: str

    def system(self, code: Path, name: str) -> System:
        """A system of the code in a folder, on the database and the queues that all systems here share."""
        port, folder = free_port(), self.folder / name
        folder.mkdir()
        environment = {
            **{key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"},
            "DATABASE_URL": f"{self.server}/{self.name}",
            "CELERY_BROKER_URL": self.broker,
            "CELERY_WORKER_POOL": "prefork",
            "QUEUE_PREFIX": self.name,
            "EMAIL_URL": "dummymail://",
            "PAYMENT_PROVIDER": "sandbox",
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": "not a secret, only what a system signs with: 0123456789",
            "WAYBILL_VAR": str(folder / "var"),
            "WEB_CONCURRENCY": "1",
        }
        celery = [*PYTHON, "-m", "celery", "-A", "config"]
        commands = {
            "web": [*PYTHON, str(ROOT / "manage.py"), "serve", "--port", str(port)],
            "worker": [*celery, "worker", "-c", "2", "-n", f"{name}@%h"],
            "beat": [*celery, "beat"],
        }
        system = System(folder, environment, commands, port)
        system.deploy(code)
        return system


class Traffic:
    """Clients that place, read and list orders on the webs in service.

    Args:
        username: whom they log in as; the password is the same.
    """

    def __init__(self, username: str = "buyer") -> None:
        self.placed: list[str] = []
        self.failed: list[str] = []
        self.requests, self.longest = 0, 0.0
        self._username, self._lock, self._stop = username, threading.Lock(), threading.Event()
        self._webs: dict[int, Client] = {}
        self._busy: dict[int, int] = {}
        self._threads = [threading.Thread(target=self._use, args=(n,)) for n in range(CLIENTS)]

    def open(self, system: System) -> None:
        """Send requests to this system, too."""
        client = system.visitor.log_in(self._username, self._username)
        with self._lock:
            self._webs[system.port] = client
            self._busy.setdefault(system.port, 0)

    def close(self, system: System) -> None:
        """Send no more requests to this system, as a load balancer does, and wait for the last response."""
        with self._lock:
            del self._webs[system.port]
        eventually(lambda: self._busy[system.port], lambda busy: busy == 0, "no request in flight")

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Send requests inside the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def for_orders(self, count: int) -> None:
        """Wait until so many more orders are placed."""
        wanted = len(self.placed) + count
        eventually(lambda: len(self.placed), lambda placed: placed >= wanted, f"{wanted} orders")

    def _use(self, seed: int) -> None:
        dice = random.Random(seed)
        while not self._stop.wait(0.1):
            with self._lock:
                port, client = dice.choice(list(self._webs.items()))
                self._busy[port] += 1
            try:
                self._order(client, dice)
            except (OSError, HTTPException, AssertionError, IndexError) as error:
                self.failed.append(f"{type(error).__name__}: {error}"[:300])
            finally:
                with self._lock:
                    self._busy[port] -= 1

    def _order(self, client: Client, dice: random.Random) -> None:
        self.placed.append(self._timed(lambda: client.place({SKU: dice.randint(1, 3)})))
        self._timed(lambda: client.order(dice.choice(self.placed)))
        listed = self._timed(lambda: client.get("/orders", page_size="50"))
        assert listed.status == 200, listed

    def _timed(self, ask: Callable[[], Any]) -> Any:
        began = time.monotonic()
        try:
            return ask()
        finally:
            self.requests += 1
            self.longest = max(self.longest, time.monotonic() - began)


def deploy(stage: Stage, orders: int, codes: list[Path]) -> dict[str, Any]:
    """Deploy one code after another while orders flow.

    Args:
        stage: where.
        orders: how many are placed, at least.
        codes: the folders of the code, in the order of their deployment.

    Returns:
        A row of the report: `n` orders, how many are `lost`, the seconds until `healed`, the `longest request`, and
        what was wrong.
    """
    traffic, phases = Traffic(), 2 * len(codes)
    with ExitStack() as ends:
        systems = [stage.system(code, f"system-{n}") for n, code in enumerate(codes)]
        for system in systems:
            ends.callback(system.tear_down)
        running = open_shop(systems[0], codes[0], orders)
        traffic.open(running)
        with traffic.flowing():
            traffic.for_orders(orders // phases)
            for n, successor in enumerate(systems[1:], 1):
                if codes[n] not in codes[:n]:
                    successor.run(codes[n], "migrate", "--verbosity", "0")
                start(successor)
                traffic.open(successor)
                traffic.for_orders(orders // phases)  # both serve
                traffic.close(running)
                running.close()
                running = successor
                traffic.for_orders(orders // phases)
        wrong, healed = judge(running, codes[-1], traffic)
        done = running.read("SELECT number FROM ordering_order WHERE status = 'confirmed'")
        lost = len({*traffic.placed} - {number for (number,) in done})
    return {
        "n": len(traffic.placed),
        "lost": lost,
        "requests": traffic.requests,
        "healed": round(healed, 1),
        "longest request": round(traffic.longest, 2),
        "violations": wrong,
    }


def open_shop(system: System, code: Path, orders: int) -> System:
    """Migrate a new database, fill the demo shop with stock for all orders, and start all processes."""
    system.run(code, "migrate", "--verbosity", "0")
    system.run(code, "demo_shop", "--force")
    start(system)
    operator = system.visitor.log_in("operator", "operator")
    assert operator.post(f"/stock/{SKU}/receipts", {"quantity": 100 * orders}).status == 201
    return system


def start(system: System) -> None:
    """Start all processes of a system, workers and beat first, and wait for the web."""
    for name in ("worker", "beat", "web"):
        system.start(name)
    system.wait_until_ready()


def judge(system: System, code: Path, traffic: Traffic) -> tuple[list[str], float]:
    """Wait until every order is confirmed and listed, then check the books; returns what is wrong, and the seconds."""
    began, wrong = time.monotonic(), [*traffic.failed]
    if not traffic.placed:
        return [*wrong, "no order was placed"], 0.0
    buyer = system.visitor.log_in("buyer", "buyer")
    statuses = f"SELECT number, status FROM ordering_order WHERE number IN {(*traffic.placed, '')}"  # noqa: S608
    try:
        eventually(
            lambda: sorted(status for _, status in system.read(statuses)),
            lambda seen: seen == ["confirmed"] * len(traffic.placed),
            "that all orders are confirmed",
            within=60,
        )
        eventually(lambda: set(listed(buyer)) >= set(traffic.placed), bool, "that all orders are listed", within=60)
    except AssertionError as error:
        wrong.append(str(error)[:1_000])
    healed = time.monotonic() - began
    if healed > HEALED_WITHIN:
        wrong.append(f"healed after {healed:.1f} s")
    if traffic.longest > LONGEST_REQUEST:
        wrong.append(f"a request took {traffic.longest:.1f} s")
    wrong += [f"{name} ended" for name, each in system.programs.items() if each.exit_code is not None]
    for command in (["verify"], ["rebuild", "--all", "--check"]):
        try:
            system.run(code, *command)
        except AssertionError as error:
            wrong.append(f"{command[0]}: {str(error)[-1_000:]}")
    if dead := system.read("SELECT consumer, error FROM integration_delivery WHERE status = 'dead'"):
        wrong.append(f"dead deliveries: {dead[:3]}")
    return wrong, healed


def listed(buyer: Client) -> Iterator[str]:
    """The numbers of all orders of a buyer that REST lists."""
    page: str | None = "/api/v1/orders?page_size=200"
    while page:
        response = buyer.ask("GET", page)
        assert response.status == 200, response
        yield from (order["number"] for order in response.body["results"])
        page = response.body["next"]
