"""The system tests' house: one for all who only live in it, and new ones for those who set fire to theirs.

The suite decides how it runs: embedded, as one process over SQLite, or, when `CELERY_BROKER_URL` names a broker, as
web, worker and beat over a database and queues of their own.
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
from psycopg import sql
from running_system import MANAGE, PYTHON, ROOT, TIMEOUT, System, free_port

Build = Callable[..., System]


@pytest.fixture(scope="session")
def architect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    """Builds houses, each with a copy of the demo shop; takes settings from the environment that a house is to have."""
    with ExitStack() as ends:
        plot = tmp_path_factory.mktemp("houses")
        build = ends.enter_context(_embedded(plot) if settings.EMBEDDED else _server(plot))
        yield lambda **changes: ends.enter_context(closing(build(changes)))


@pytest.fixture(scope="session")
def system(architect: Build) -> System:
    """A house that works; everybody may order and ship in it, and nobody breaks it."""
    system = architect()
    system.open()
    return system


@pytest.fixture
def system_to_break(architect: Build) -> Iterator[Build]:
    """Builds and opens a house of the test's own; takes settings as `architect` does."""
    with ExitStack() as ends:

        def build(**changes: str) -> System:
            system = architect(**changes)
            ends.callback(system.tear_down)
            system.open()
            return system

        yield build


@contextmanager
def _embedded(plot: Path) -> Iterator[Callable[[dict[str, str]], System]]:
    """One process, one SQLite file."""

    def environment(var: Path) -> dict[str, str]:
        return _environment(
            CELERY_BROKER_URL="memory://",
            CELERY_WORKER_POOL="threads",
            DATABASE_URL=f"sqlite:///{var / 'waybill.sqlite3'}",
            WAYBILL_VAR=str(var),
        )

    def build(changes: dict[str, str]) -> System:
        folder, port = plot / uuid4().hex[:8], free_port()
        shutil.copytree(shop, folder / "var")
        serve = {"serve": [*MANAGE, "serve", "--port", str(port)]}
        return System(folder, {**environment(folder / "var"), **changes}, serve, port)

    shop = plot / "shop"
    _furnish(plot, environment(shop))
    yield build


@contextmanager
def _server(plot: Path) -> Iterator[Callable[[dict[str, str]], System]]:
    """Web, worker and beat, each house with a PostgreSQL database and Redis queues of its own."""
    given = urlsplit(os.environ["DATABASE_URL"])
    # .ci/run drops databases of such names, should we be killed before we do.
    prefix = f"test_{given.path.strip('/')}_gw_house_{uuid4().hex[:8]}"
    shop = f"{prefix}_shop"
    databases = [shop]

    def environment(name: str) -> dict[str, str]:
        return _environment(
            DATABASE_URL=urlunsplit(given._replace(path=f"/{name}")),
            QUEUE_PREFIX=name,
            CELERY_WORKER_POOL="prefork",
            SECRET_KEY="not a secret, only what houses sign with: 0123456789",
            PAYMENT_PROVIDER="sandbox",
            WAYBILL_VAR=str(plot / "var"),
        )

    def build(changes: dict[str, str]) -> System:
        name, port = f"{prefix}_{len(databases)}", free_port()
        server.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(shop)))
        databases.append(name)
        folder = plot / name
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
            _furnish(plot, environment(shop))
            yield build
        finally:
            for name in databases:
                server.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
            for key in broker.scan_iter(f"*{prefix}*"):
                broker.delete(key)


def _broker() -> str:
    return os.environ["CELERY_BROKER_URL"]


def _environment(**own: str) -> dict[str, str]:
    """Ours, with what tells a house from others; its processes run in its folder and find their code by the path."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "WEB_CONCURRENCY": "1", **own}


def _furnish(plot: Path, environment: dict[str, str]) -> None:
    for command in (["migrate", "--verbosity", "0"], ["demo_shop", "--force"]):
        done = subprocess.run(
            [*MANAGE, *command], cwd=plot, env=environment, capture_output=True, text=True, timeout=TIMEOUT
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed test what the running_system's processes said last."""
    report = yield
    if report.failed:
        for system in (value for value in item.funcargs.values() if isinstance(value, System)):
            report.sections += [
                (f"{name} said", "\n".join(text.splitlines()[-60:])) for name, text in system.output.items()
            ]
    return report
