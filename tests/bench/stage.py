"""Where it is measured: a PostgreSQL and a Redis of this run's own, both durable, and houses of real processes on them.

Houses are copies of one furnished database. A house at rest is held still while its baseline runs, so that no sweep of
one side is paid for by the other.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import redis

from tests.bench.crew import Crew
from tests.chaos.servers import PostgreSQL, Redis
from tests.system.running_system import MANAGE, PYTHON, ROOT, System, eventually, free_port

SETTINGS = "tests.bench.ours.settings"
PLAIN_SETTINGS = "tests.bench.baselines.settings"
CELERY = [*PYTHON, "-m", "celery", "-A", "config"]
AT_REST_WITHIN = 600.0
"""Seconds in which a house has done whatever a round of a measurement gave it to do."""
LOOK_EVERY = 0.005


class NotAllDone(RuntimeError):
    """A house came to rest without having done its work: what was measured means nothing."""


class Scale(NamedTuple):
    """How much of each there is in a round; how many orders each side has behind it before the first; and by how many
    `hands`, processes that is, orders are placed at once."""

    rounds: int
    orders: int
    chain_orders: int
    events: int
    tasks: int
    requests: int
    low_load: int
    dispatches: int
    large_orders: int
    embedded_orders: int
    history: int
    memory: tuple[int, int]
    growth: tuple[int, ...]
    growth_times: int
    growth_months: int
    peer_orders: int
    past: int
    skus: int
    hands: int


WHOLE = Scale(
    5,
    1_000,
    2_000,
    20_000,
    5_000,
    2_000,
    100,
    20_000,
    100,
    400,
    2_000_000,
    (5_000, 50_000),
    (100_000, 300_000, 1_000_000),
    50,
    24,
    200,
    1_000,
    2_000,
    2,
)
SHORT = Scale(1, 10, 10, 100, 50, 20, 3, 500, 2, 5, 200, (10, 30), (40, 400), 2, 3, 4, 5, 400, 1)
"""Enough to see that everything runs."""


class Stage:
    """Servers, one furnished house to copy, and an empty database for the plain programs.

    Args:
        folder: for whatever is written.
        short: whether one house serves all measurements, which is quicker, and does for all but their speed.
        servers: whether there are any; without, there is only the folder.
    """

    def __init__(self, folder: Path, scale: Scale, short: bool = False, servers: bool = True) -> None:
        self.folder, self.scale, self.short, self._servers = folder, scale, short, servers
        self._ends = ExitStack()
        self._shared: System | None = None
        self._systems = 0

    def __enter__(self) -> "Stage":
        self.folder.mkdir(parents=True)
        if not self._servers:
            return self
        with ExitStack() as ends:
            self.postgresql = PostgreSQL(self.folder / "pg")
            self.redis = Redis(self.folder / "redis", durable=True)
            for server in (self.postgresql, self.redis):
                ends.callback(server.kill)
                server.start()
            for database in ("furnished", "plain"):
                self.postgresql.ask(f"CREATE DATABASE {database}")
            self.furnish(self.environment("furnished"))
            self.settle("furnished")
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._ends.close()

    def furnish(self, environment: Mapping[str, str]) -> None:
        """Furnish the database of a house."""
        self.run("tests.bench.ours.furnish", str(self.scale.skus), str(self.scale.past), environment=environment)

    def settle(self, name: str) -> None:
        """Have PostgreSQL do now what it does by itself within a minute or so: see what its tables have become."""
        with psycopg.connect(self.postgresql.url(name), autocommit=True) as database:
            database.execute("VACUUM (ANALYZE)")

    # --- Environments ---

    def environment(self, database: str) -> dict[str, str]:
        """That of a house on one of the databases: a server's, with everything Waybill promises switched on."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "WAYBILL_VAR": str(self.folder / "var"),
            "DATABASE_URL": self.postgresql.url(database),
            "CELERY_BROKER_URL": self.redis.url,
            "CELERY_WORKER_POOL": "prefork",
            "QUEUE_PREFIX": database,
            "SECRET_KEY": "not a secret, only what a house signs with: 0123456789",
            "PAYMENT_PROVIDER": "sandbox",
            "SANDBOX_LATENCY_MS": "0",
            "SANDBOX_FAILURE_RATE": "0",
            "EMAIL_URL": "dummymail://",
            "LOG_LEVEL": "WARNING",
            "WEB_CONCURRENCY": "2",
        }

    def plain(self) -> dict[str, str]:
        """That of a plain Django program on a database of its own, on the same server."""
        # The project's settings are asked for the connection alone, and memory:// asks nothing more of them.
        return plain_environment(self.postgresql.url("plain"), self.folder / "var")

    def run(self, module: str, *arguments: str, environment: Mapping[str, str]) -> None:
        """Run a program to its end; raises `NotAllDone` with what it said when it fails."""
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotAllDone(f"{module}: {done.stdout[-1_000:]}{done.stderr[-3_000:]}")

    # --- Who is measured ---

    @contextmanager
    def system(self, template: str = "furnished") -> Iterator["Measured"]:
        """A house of its own: web, a worker with two processes, and beat.

        Args:
            template: the database it begins with; any but the furnished one becomes its own, and is there no more.
        """
        if self.short and template == "furnished":
            if self._shared is None:
                self._shared = self._open(template)
                self._ends.callback(self._shared.tear_down)
            system = self._shared
            yield self._ends.enter_context(closing(Measured(system, self)))
            return
        system = self._open(template)
        try:
            with closing(Measured(system, self)) as measured:
                yield measured
        finally:
            system.tear_down()

    def _open(self, template: str) -> System:
        self._systems += 1
        name, port = f"house_{self._systems}", free_port()
        if template == "furnished":
            self.postgresql.ask(f"CREATE DATABASE {name} TEMPLATE {template}")
        else:  # made for this house alone, and perhaps larger than what is left of the disk
            self.postgresql.ask(f"ALTER DATABASE {template} RENAME TO {name}")
        folder = self.folder / name
        folder.mkdir()
        commands = {
            "web": [*MANAGE, "serve", "--port", str(port)],
            "worker": [*CELERY, "worker", "-c", "2", "-n", f"{name}@%h"],
            "beat": [*CELERY, "beat"],
        }
        system = System(folder, self.environment(name), commands, port)
        try:
            for each in commands:
                system.start(each)
            system.wait_until_ready()
        except BaseException:
            system.tear_down()
            raise
        return system

    def crew(self, module: str, hands: int, environment: Mapping[str, str]) -> Crew:
        """Processes of one program, to be used with `with`."""
        return Crew(module, hands, environment, self.folder / "crews")


def plain_environment(database: str, var: Path) -> dict[str, str]:
    """That of a plain Django program on this database."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": PLAIN_SETTINGS,
        "PYTHONPATH": str(ROOT),
        "WAYBILL_VAR": str(var),
        "CELERY_BROKER_URL": "memory://",
        "DATABASE_URL": database,
    }


def embedded_environment(stage: Stage) -> dict[str, str]:
    """What a program needs to be told to run embedded, but for its database."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "CELERY_BROKER_URL": "memory://",
        "CELERY_WORKER_POOL": "threads",
        "WEB_CONCURRENCY": "1",
        "WAYBILL_VAR": str(stage.folder / "var"),
        "EMAIL_URL": "dummymail://",
        "LOG_LEVEL": "WARNING",
    }


class Measured:
    """A house that is measured: what is asked of it from outside, past its own code."""

    def __init__(self, system: System, stage: Stage) -> None:
        self.system, self.stage = system, stage
        self.environment = system.environment
        self._database = psycopg.connect(system.environment["DATABASE_URL"], autocommit=True)
        self._broker = redis.Redis.from_url(stage.redis.url)
        self._queue = f"{system.environment['QUEUE_PREFIX']}.integration"

    def close(self) -> None:
        """Let go of its servers."""
        self._database.close()
        self._broker.close()

    def ask(self, sql: str) -> Any:
        """The one value that a statement returns."""
        row = self._database.execute(sql).fetchone()  # type: ignore[call-overload]  # any text
        return row[0] if row else None

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.ask(f"SELECT count(*) FROM {table}"))  # noqa: S608 - a name of ours

    def is_at_rest(self) -> bool:
        """Whether no delivery is pending."""
        return not self.ask("SELECT EXISTS (SELECT FROM integration_delivery WHERE status = 'pending')")

    def come_to_rest(self) -> None:
        """Wait until nothing is left to be delivered; raises `NotAllDone` if that never comes."""
        self._await(self.is_at_rest, "deliveries are still pending")

    def empty_queue(self) -> None:
        """Wait until the workers have taken every task there was for the measured queue."""
        self._await(
            lambda: not self._broker.llen(self._queue) and not self._broker.hlen("unacked"), "tasks are still waiting"
        )

    def _await(self, is_so: Any, what: str) -> None:
        give_up_at = time.monotonic() + AT_REST_WITHIN
        while not is_so():
            if time.monotonic() > give_up_at:
                raise NotAllDone(f"after {AT_REST_WITHIN:g} s {what}")
            time.sleep(LOOK_EVERY)

    @contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        """Hold its processes still, or those named; what it does first is come to rest."""
        self.come_to_rest()
        programs = [self.system.programs[name] for name in names or self.system.programs]
        for program in programs:
            program.signal_group(signal.SIGSTOP)
        try:
            yield
        finally:
            for program in programs:
                program.signal_group(signal.SIGCONT)

    def memory(self, name: str) -> int:
        """The bytes one of its programs holds with all its processes: what they share is counted once."""
        leader = self.system.programs[name]
        return sum(_proportional_bytes(pid) for pid in [leader.pid, *leader.children])

    def token(self) -> str:
        """What a buyer authenticates with."""
        answer = eventually(
            lambda: self.system.visitor.post("/auth/tokens", {"username": "buyer", "password": "buyer"}),
            lambda answer: answer.status == 201,
            "a token",
        )
        return str(answer.body["token"])


def _proportional_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise NotAllDone(f"the memory of process {pid} cannot be read")
