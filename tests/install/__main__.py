"""`python -m tests.install` installs Waybill as README says and takes an order from placing to delivery, twice.

The program clones the last commit into an empty folder, with an empty HOME, and runs README's commands there: first
`make run`, then those of a server on PostgreSQL and Redis. So only the packages of `requirements.txt` are installed.
`DATABASE_URL` and `CELERY_BROKER_URL` name the servers. The run uses a database and queues of its own.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from signal import SIGINT
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import redis
from psycopg import sql

from tests.install import readme
from tests.system.running_system import ROOT, TIMEOUT, System, eventually, free_port

LONGEST_INSTALL = 600.0
"""Seconds in which all packages must be installed, without a cache and over a slow network."""
FIRST = "R-1001"
"""The number of README's first order."""


class NotInstalled(RuntimeError):
    """One of README's commands failed."""


def clean_environment(home: Path) -> dict[str, str]:
    """Return the environment of a new machine with an empty HOME; pip still uses this machine's index and cache."""
    for_pip = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "SSL_CERT_")) or name.lower() in ("http_proxy", "https_proxy", "no_proxy")
    }
    if (own := Path("~/.config/pip/pip.conf").expanduser()).exists():
        for_pip.setdefault("PIP_CONFIG_FILE", str(own))
    look = subprocess.run([sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True, check=False)
    if look.returncode == 0:  # the command fails if the cache is turned off
        for_pip.setdefault("PIP_CACHE_DIR", look.stdout.strip())
    return {
        **for_pip,
        "PATH": f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def clone() -> Iterator[tuple[Path, dict[str, str]]]:
    """Clone the last commit into a temporary folder; yields the folder, and an environment to run commands in."""
    with tempfile.TemporaryDirectory(prefix="waybill-install-") as folder:
        code, home = Path(folder, "waybill"), Path(folder, "home")
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(code)], check=True)
        yield code, clean_environment(home)


def run(command: Sequence[str], code: Path, environment: Mapping[str, str], within: float = TIMEOUT) -> str:
    """Run a command and return its output; raises `NotInstalled` if it fails or takes longer than `within` seconds."""
    try:
        done = subprocess.run(
            command, cwd=code, env=environment, capture_output=True, text=True, timeout=within, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise NotInstalled(f"{' '.join(command)} is not done after {within:g} s") from late
    if done.returncode:
        raise NotInstalled(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def order(shop: System) -> None:
    """Place, ship and deliver README's first order with README's own commands; then wait until `verify` passes."""
    as_buyer, as_operator = readme.first_order(shop.port)
    placed = run(["bash", "-c", as_buyer], shop.folder, shop.environment)
    assert f'"number":"{FIRST}"' in placed, placed
    buyer, operator = (shop.visitor.log_in(name, name) for name in ("buyer", "operator"))
    buyer.order_once(FIRST, "confirmed")
    operator.shipment_of(FIRST)
    run(["bash", "-c", as_operator], shop.folder, shop.environment)
    buyer.order_once(FIRST, "delivered")
    eventually(lambda: verify(shop), bool, "a shop in which every invariant holds")


def verify(shop: System) -> bool:
    """Return whether every invariant of `manage.py verify` holds."""
    command = [".venv/bin/python", "manage.py", "verify"]
    return not subprocess.run(
        command, cwd=shop.folder, env=shop.environment, capture_output=True, timeout=TIMEOUT, check=False
    ).returncode


def make_run(code: Path, environment: Mapping[str, str]) -> None:
    """Run `make run`, which installs everything, take an order through it, and press Ctrl-C."""
    port = free_port()
    with opened(System(code, environment, {"run": ["make", "run", f"PORT={port}"]}, port)) as shop:
        program = shop.programs["run"]
        eventually(
            lambda: (program.output, program.exit_code),
            lambda seen: "Waybill is being served" in seen[0] or seen[1] is not None,
            "a shop that is installed and served",
            LONGEST_INSTALL,
        )
        shop.wait_until_ready()
        order(shop)
        program.signal_group(SIGINT)
        program.wait(TIMEOUT)


def server(code: Path, environment: Mapping[str, str]) -> None:
    """Run README's commands of a server, with a new database and new queues, and take an order through it."""
    port, typed = free_port(), readme.server()
    with database_and_broker() as own:
        ours = {**own, "SECRET_KEY": uuid4().hex * 2, "ALLOWED_HOSTS": "127.0.0.1"}
        settings = {**environment, **typed.settings, **ours}
        long_lived = {
            "web": [*typed.command("serve"), "--port", str(port)],
            "worker": typed.command("worker"),
            "beat": typed.command("beat"),
        }
        first = [each for each in typed.commands if not {"serve", "worker", "beat"} & set(each)]
        for command in first:
            run(command, code, settings, LONGEST_INSTALL)
        load = {**settings, "DJANGO_SETTINGS_MODULE": "config.settings"}
        run([".venv/bin/python", "-m", "tests.install.load_everything"], code, load)
        run([".venv/bin/python", "manage.py", "demo_shop", "--force"], code, settings)
        with opened(System(code, settings, long_lived, port)) as shop:
            shop.wait_until_ready()
            order(shop)


@contextmanager
def opened(shop: System) -> Iterator[System]:
    """Start a shop's processes, and stop them at the end; print their last output if anything fails."""
    with closing(shop):
        for name in shop.commands:
            shop.start(name)
        try:
            yield shop
        except BaseException:
            for name, said in shop.output.items():
                print(f"--- the last output of {name}", *said.splitlines()[-30:], sep="\n", file=sys.stderr)
            raise


@contextmanager
def database_and_broker() -> Iterator[dict[str, str]]:
    """Create an empty database; yields settings that name it and unused queues, and removes both at the end."""
    given, broker_url = urlsplit(os.environ["DATABASE_URL"]), os.environ["CELERY_BROKER_URL"]
    # .ci/run drops databases with such names, in case this program is killed.
    name = f"test_{given.path.strip('/')}_gw_install_{uuid4().hex[:8]}"
    maintenance = urlunsplit(given._replace(path="/postgres", query=""))
    with psycopg.connect(maintenance, autocommit=True) as postgres, redis.Redis.from_url(broker_url) as broker:
        postgres.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            url = urlunsplit(given._replace(path=f"/{name}"))
            yield {"DATABASE_URL": url, "CELERY_BROKER_URL": broker_url, "QUEUE_PREFIX": name}
        finally:
            postgres.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
            for key in broker.scan_iter(f"*{name}*"):
                broker.delete(key)


def main() -> int:
    """Install and take an order through both ways; returns 1 if anything does not work as README says."""
    parts: dict[str, Callable[[Path, Mapping[str, str]], None]] = {
        "make run": make_run,
        "web, worker and beat on PostgreSQL and Redis": server,
    }
    if missing := [name for name in ("bash", "curl", "git", "make") if shutil.which(name) is None]:
        print(f"README's commands need {', '.join(missing)}.", file=sys.stderr)
        return 1
    with clone() as (code, environment):
        for name, part in parts.items():
            began = time.monotonic()
            try:
                part(code, environment)
            except (NotInstalled, AssertionError, ValueError, subprocess.TimeoutExpired) as failure:
                print(f"Installed as README says, {name} does not work: {failure}", file=sys.stderr)
                return 1
            print(f"{name}: {FIRST} is delivered, {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
