"""Running systems for tests: one that all tests share, and new ones for tests that kill processes.

Without a broker in `CELERY_BROKER_URL` a system is embedded: one process over SQLite. With a broker it is web, worker
and beat, with a database and queues of its own.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
import redis
from django.conf import settings
from own_redis import Redis
from psycopg import sql
from running_system import MANAGE, PYTHON, ROOT, TIMEOUT, System, free_port

Build = Callable[..., System]


@pytest.fixture(scope="session")
def build_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    """Makes systems, each with a copy of the demo shop; takes the environment variables that a system is to have."""
    with ExitStack() as ends:
        parent = tmp_path_factory.mktemp("systems")
        build = ends.enter_context(_embedded(parent) if settings.EMBEDDED else _server(parent))
        yield lambda **changes: ends.enter_context(closing(build(changes)))


@pytest.fixture(scope="session")
def system(build_system: Build) -> System:
    """A system that tests share: they may order and ship in it, and do not kill its processes."""
    system = build_system()
    system.open()
    return system


@pytest.fixture
def system_to_break(build_system: Build) -> Iterator[Build]:
    """Makes and starts a system for one test; takes environment variables as `build_system` does."""
    with ExitStack() as ends:

        def build(**changes: str) -> System:
            system = build_system(**changes)
            ends.callback(system.tear_down)
            system.open()
            return system

        yield build


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Redis]:
    own = Redis(tmp_path)
    own.start()
    yield own
    own.program.kill()


@contextmanager
def _embedded(parent: Path) -> Iterator[Callable[[dict[str, str]], System]]:
    """Makes systems of one process over a SQLite file."""

    def environment(var: Path) -> dict[str, str]:
        return _environment(
            CELERY_BROKER_URL="memory://",
            CELERY_WORKER_POOL="threads",
            DATABASE_URL=f"sqlite:///{var / 'waybill.sqlite3'}",
            WAYBILL_VAR=str(var),
        )

    def build(changes: dict[str, str]) -> System:
        folder, port = parent / uuid4().hex[:8], free_port()
        shutil.copytree(shop, folder / "var")
        serve = {"serve": [*MANAGE, "serve", "--port", str(port)]}
        return System(folder, {**environment(folder / "var"), **changes}, serve, port)

    shop = parent / "shop"
    _fill(parent, environment(shop))
    yield build


@contextmanager
def _server(parent: Path) -> Iterator[Callable[[dict[str, str]], System]]:
    """Makes systems of web, worker and beat, each with a PostgreSQL database and Redis queues of its own."""
    given = urlsplit(os.environ["DATABASE_URL"])
    # If this process is killed first, .ci/run drops databases with such names.
    prefix = f"test_{given.path.strip('/')}_gw_system_{uuid4().hex[:8]}"
    shop = f"{prefix}_shop"
    databases = [shop]

    def environment(name: str) -> dict[str, str]:
        return _environment(
            DATABASE_URL=urlunsplit(given._replace(path=f"/{name}")),
            QUEUE_PREFIX=name,
            CELERY_WORKER_POOL="prefork",
            SECRET_KEY="not a secret, only a signing key for tests: 0123456789",
            PAYMENT_PROVIDER="sandbox",
            WAYBILL_VAR=str(parent / "var"),
        )

    def build(changes: dict[str, str]) -> System:
        name, port = f"{prefix}_{len(databases)}", free_port()
        server.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(shop)))
        databases.append(name)
        folder = parent / name
        folder.mkdir()
        celery = [*PYTHON, "-m", "celery", "-A", "config"]
        commands = {
            "web": [*MANAGE, "serve", "--port", str(port)],
            "worker": [*celery, "worker", "-c", "2", "-n", f"{name}@%h"],
            "beat": [*celery, "beat"],
        }
        return System(folder, {**environment(name), **changes}, commands, port)

    maintenance = urlunsplit(given._replace(path="/postgres", query=""))
    with psycopg.connect(maintenance, autocommit=True) as server, redis.Redis.from_url(_broker()) as broker:
        try:
            server.execute(sql.SQL("create database {}").format(sql.Identifier(shop)))
            _fill(parent, environment(shop))
            yield build
        finally:
            for name in databases:
                server.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
            for key in broker.scan_iter(f"*{prefix}*"):
                broker.delete(key)


def _broker() -> str:
    return os.environ["CELERY_BROKER_URL"]


def _environment(**own: str) -> dict[str, str]:
    """The environment of a system's processes: they run in its folder, and find the code by `PYTHONPATH`."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "WEB_CONCURRENCY": "1", **own}


def _fill(parent: Path, environment: dict[str, str]) -> None:
    for command in (["migrate", "--verbosity", "0"], ["demo_shop", "--force"]):
        done = subprocess.run(
            [*MANAGE, *command], cwd=parent, env=environment, capture_output=True, text=True, timeout=TIMEOUT
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed test the last output of its system's processes."""
    report = yield
    if report.failed:
        for system in (value for value in item.funcargs.values() if isinstance(value, System)):
            report.sections += [
                (f"output of {name}", "\n".join(text.splitlines()[-60:])) for name, text in system.output.items()
            ]
    return report
