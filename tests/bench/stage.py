"""Provides what the measurements run on: a durable PostgreSQL and Redis of the run's own, and Waybill systems on them.

A system is a web, a worker and beat in real processes. Its database is a copy of one prepared database. While its
baseline runs, an idle system is stopped with SIGSTOP, so that its sweeps cost the baseline nothing.
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

from tests.bench.processes import ProcessGroup
from tests.chaos.servers import PostgreSQL, Redis
from tests.system.running_system import MANAGE, PYTHON, ROOT, System, eventually, free_port

SETTINGS = "tests.bench.ours.settings"
PLAIN_SETTINGS = "tests.bench.baselines.settings"
CELERY = [*PYTHON, "-m", "celery", "-A", "config"]
IDLE_TIMEOUT = 600.0
"""Seconds in which a system must finish the work of one round."""
POLL_INTERVAL = 0.005


class NotAllDelivered(RuntimeError):
    """A system became idle without finishing its work, or never became idle, so the measurement means nothing."""


class Scale(NamedTuple):
    """The amount of work in a round, for each kind of measurement.

    `past` is the number of earlier orders on both sides, and `placers` the number of processes that place orders.
    """

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
    placers: int


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
"""Just enough work to check that everything runs."""


class Stage:
    """The servers of a run, one prepared database to copy, and an empty database for the baseline programs.

    Args:
        folder: a new folder for all files of the run.
        scale: the amount of work in a round.
        short: whether one system serves all measurements. This starts faster, but distorts the figures.
        servers: whether to start PostgreSQL and Redis. Without them there is only the folder.
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
            for database in ("prepared", "plain"):
                self.postgresql.ask(f"CREATE DATABASE {database}")
            self.set_up(self.environment("prepared"))
            self.vacuum("prepared")
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._ends.close()

    def set_up(self, environment: Mapping[str, str]) -> None:
        """Create the tables, goods, buyers and earlier orders in the database of a system."""
        self.run("tests.bench.ours.set_up", str(self.scale.skus), str(self.scale.past), environment=environment)

    def vacuum(self, name: str) -> None:
        """Vacuum and analyze a database now, as autovacuum would within a minute or so."""
        with psycopg.connect(self.postgresql.url(name), autocommit=True) as database:
            database.execute("VACUUM (ANALYZE)")

    # --- Environments ---

    def environment(self, database: str) -> dict[str, str]:
        """Return the environment of a system on one of the databases: server mode, with every guarantee on."""
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
            "SECRET_KEY": "not a secret: signs only what this run sends 0123456789",
            "PAYMENT_PROVIDER": "sandbox",
            "READS_PER_MINUTE": "1000000",
            "WRITES_PER_MINUTE": "1000000",
            "SANDBOX_LATENCY_MS": "0",
            "SANDBOX_FAILURE_RATE": "0",
            "EMAIL_URL": "dummymail://",
            "LOG_LEVEL": "WARNING",
            "WEB_CONCURRENCY": "2",
        }

    def plain(self) -> dict[str, str]:
        """Return the environment of a baseline program, with a database of its own on the same server."""
        # The baselines read only the database connection from the project's settings.
        return plain_environment(self.postgresql.url("plain"), self.folder / "var")

    def run(self, module: str, *arguments: str, environment: Mapping[str, str]) -> None:
        """Run a program to its end; raises `NotAllDelivered` with its output if it fails."""
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotAllDelivered(f"{module}: {done.stdout[-1_000:]}{done.stderr[-3_000:]}")

    # --- Systems and processes ---

    @contextmanager
    def system(self, template: str = "prepared") -> Iterator["MeasuredSystem"]:
        """Start a system: web, a worker with two processes, and beat.

        Args:
            template: the database it begins with. The prepared database is copied; any other is renamed, not copied.
        """
        if self.short and template == "prepared":
            if self._shared is None:
                self._shared = self._open(template)
                self._ends.callback(self._shared.tear_down)
            system = self._shared
            yield self._ends.enter_context(closing(MeasuredSystem(system, self)))
            return
        system = self._open(template)
        try:
            with closing(MeasuredSystem(system, self)) as measured:
                yield measured
        finally:
            system.tear_down()

    def _open(self, template: str) -> System:
        self._systems += 1
        name, port = f"system_{self._systems}", free_port()
        if template == "prepared":
            self.postgresql.ask(f"CREATE DATABASE {name} TEMPLATE {template}")
        else:  # created for this system only, and perhaps too large to copy
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

    def start_processes(self, module: str, size: int, environment: Mapping[str, str]) -> ProcessGroup:
        """Start several processes of one program, for use in a `with` statement."""
        return ProcessGroup(module, size, environment, self.folder / "groups")


def plain_environment(database: str, var: Path) -> dict[str, str]:
    """Return the environment of a baseline program on this database."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": PLAIN_SETTINGS,
        "PYTHONPATH": str(ROOT),
        "WAYBILL_VAR": str(var),
        "CELERY_BROKER_URL": "memory://",
        "DATABASE_URL": database,
    }


def embedded_environment(stage: Stage) -> dict[str, str]:
    """Return the settings of the embedded mode, without the database."""
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "CELERY_BROKER_URL": "memory://",
        "CELERY_WORKER_POOL": "threads",
        "WEB_CONCURRENCY": "1",
        "WAYBILL_VAR": str(stage.folder / "var"),
        "EMAIL_URL": "dummymail://",
        "LOG_LEVEL": "WARNING",
        "READS_PER_MINUTE": "1000000",
        "WRITES_PER_MINUTE": "1000000",
    }


class MeasuredSystem:
    """A system under measurement, observed through its database and broker instead of its own code."""

    def __init__(self, system: System, stage: Stage) -> None:
        self.system, self.stage = system, stage
        self.environment = system.environment
        self._database = psycopg.connect(system.environment["DATABASE_URL"], autocommit=True)
        self._broker = redis.Redis.from_url(stage.redis.url)
        self._queue = f"{system.environment['QUEUE_PREFIX']}.integration"

    def close(self) -> None:
        """Close the connections to its servers."""
        self._database.close()
        self._broker.close()

    def ask(self, sql: str) -> Any:
        """Return the first column of the first row of a query, or None."""
        row = self._database.execute(sql).fetchone()  # type: ignore[call-overload]  # any text
        return row[0] if row else None

    def count(self, table: str) -> int:
        """Return the number of rows of a table."""
        return int(self.ask(f"SELECT count(*) FROM {table}"))  # noqa: S608 - a name of ours

    def is_idle(self) -> bool:
        """Return whether no delivery is pending."""
        return not self.ask("SELECT EXISTS (SELECT FROM integration_delivery WHERE status = 'pending')")

    def wait_until_idle(self) -> None:
        """Wait until no delivery is pending; raises `NotAllDelivered` after `IDLE_TIMEOUT`."""
        self._await(self.is_idle, "deliveries are still pending")

    def empty_queue(self) -> None:
        """Wait until the workers have finished every task of the measured queue."""
        self._await(
            lambda: not self._broker.llen(self._queue) and not self._broker.hlen("unacked"), "tasks are still waiting"
        )

    def _await(self, is_so: Any, what: str) -> None:
        give_up_at = time.monotonic() + IDLE_TIMEOUT
        while not is_so():
            if time.monotonic() > give_up_at:
                raise NotAllDelivered(f"after {IDLE_TIMEOUT:g} s {what}")
            time.sleep(POLL_INTERVAL)

    @contextmanager
    def paused(self, *names: str) -> Iterator[None]:
        """Wait until the system is idle, then stop its processes (or those named) with SIGSTOP."""
        self.wait_until_idle()
        programs = [self.system.programs[name] for name in names or self.system.programs]
        for program in programs:
            program.signal_group(signal.SIGSTOP)
        try:
            yield
        finally:
            for program in programs:
                program.signal_group(signal.SIGCONT)

    def memory(self, name: str) -> int:
        """Return the bytes that the processes of a program use; memory they share counts once."""
        leader = self.system.programs[name]
        return sum(_proportional_bytes(pid) for pid in [leader.pid, *leader.children])

    def token(self) -> str:
        """Log in as a buyer; returns the token."""
        response = eventually(
            lambda: self.system.visitor.post("/auth/tokens", {"username": "buyer", "password": "buyer"}),
            lambda response: response.status == 201,
            "a token",
        )
        return str(response.body["token"])


def _proportional_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise NotAllDelivered(f"the memory of process {pid} cannot be read")
