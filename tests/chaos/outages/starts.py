"""Disks that are full, and starts that are killed or happen twice: the embedded mode with files of its own."""

import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from itertools import count
from pathlib import Path

from tests.chaos.outages.table import Site, Table
from tests.chaos.outcome import Outcome
from tests.system.running_system import ADDRESS, MANAGE, PYTHON, ROOT, Client, System, eventually, free_port

TABLE = Table("disk and start")
SKU = "MUG-ENAMEL-BLUE"
MEGABYTE = 2**20
STARTED_WITHIN = 120.0


def embedded(folder: Path, site: Site, port: int | None = None) -> System:
    """An embedded system whose one process does what `make run` does; it is killed at the end of the row."""
    port = port or free_port()
    manage = " ".join([*PYTHON, MANAGE[1]])
    own = {
        "CELERY_BROKER_URL": "memory://",
        "CELERY_WORKER_POOL": "threads",
        "DATABASE_URL": f"sqlite:///{folder / 'var' / 'waybill.sqlite3'}",
        "EMAIL_URL": "dummymail://",
        "PYTHONPATH": str(ROOT),
        "SECRET_KEY": "",
        "WAYBILL_VAR": str(folder / "var"),
        "WEB_CONCURRENCY": "1",
    }
    run = f"{manage} migrate --verbosity 0 && {manage} demo_shop && exec {manage} serve --port {port}"
    folder.mkdir(parents=True, exist_ok=True)
    system = System(folder, {**os.environ, **own}, {"serve": ["sh", "-c", run]}, port)
    site.ends.callback(system.tear_down)
    return system


def seconds_to_serve(system: System) -> float:
    """Start the system; returns the seconds until an order is confirmed."""
    began = time.monotonic()
    system.start("serve")
    system.wait_until_ready()
    buyer = system.visitor.log_in("buyer", "buyer")
    buyer.order_once(buyer.place({SKU: 1}), "confirmed", STARTED_WITHIN)
    return time.monotonic() - began


def offenders(system: System) -> list[str]:
    """What `manage.py verify` finds, as sentences."""
    done = subprocess.run(
        [*MANAGE, "verify"], cwd=system.folder, env=system.environment, capture_output=True, text=True, check=False
    )
    return [] if done.returncode == 0 else [f"verify: {(done.stdout + done.stderr)[-500:]}"]


@TABLE.alone("the next start serves an order")
def killed_while_starting(site: Site) -> Outcome:
    """Killed at any point of the first start."""
    outcome, slowest = Outcome(), 0.0
    whole = embedded(site.folder / "whole", site)
    usual = seconds_to_serve(whole)
    whole.tear_down()
    starts = 2 if site.short else 20
    for i in range(starts):
        system = embedded(site.folder / str(i), site)
        system.start("serve")
        time.sleep(usual * (i + random.random()) / starts)
        system.kill("serve")
        try:
            slowest = max(slowest, seconds_to_serve(system))
        except AssertionError as error:
            outcome.wrong.append(f"killed after {i}/{starts} of its first start: {error}")
        else:
            outcome.wrong += offenders(system)
        system.tear_down()
    outcome.n |= {
        "starts killed": starts,
        "a first start s": round(usual, 1),
        "slowest next start s": round(slowest, 1),
    }
    return outcome


@TABLE.alone("both serve, or the second says in one sentence that the port is in use")
def two_first_starts(site: Site) -> Outcome:
    """Two first starts at once, with one port and with two."""
    outcome = Outcome()
    rounds = 1 if site.short else 5
    for i in range(rounds):
        folder, port = site.folder / str(i), free_port()
        systems = [embedded(folder / name, site, port) for name in ("a", "b")]
        other = embedded(folder / "c", site)
        for system in (*systems, other):
            system.environment = {**system.environment, **shared(folder / "var")}
            system.start("serve")
        deadline = time.monotonic() + STARTED_WITHIN
        while len(ended := [s for s in systems if s.programs["serve"].exit_code is not None]) < 1:
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        last = [system.programs["serve"].output.strip().splitlines()[-1] for system in ended]
        outcome.require(len(ended) == 1, f"{len(ended)} of two starts with one port ended: {last}")
        outcome.require(all("Is Waybill running already?" in line for line in last), f"the second said {last}")
        for system in (next(s for s in systems if s not in ended), other):
            system.wait_until_ready()
            buyer = system.visitor.log_in("buyer", "buyer")
            buyer.order_once(buyer.place({SKU: 1}), "confirmed")
        outcome.wrong += offenders(other)
        for system in (*systems, other):
            system.tear_down()
    outcome.n |= {"rounds": rounds, "starts at once": 3}
    return outcome


def shared(var: Path) -> dict[str, str]:
    """The environment variables of a system that shares a folder with another."""
    return {"WAYBILL_VAR": str(var), "DATABASE_URL": f"sqlite:///{var / 'waybill.sqlite3'}"}


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Mount a disk of this size; only root can."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "waybill-disk", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path, but: int = 0) -> Iterator[None]:
    """Fill the disk of a folder, but for so many bytes, and free it at the end."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb") as file:
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        for _ in range(max(0, free - but) // 65_536 if but else 10**9):
            file.write(b"\0" * 65_536)
    try:
        yield
    finally:
        ballast.unlink()


class Buyer:
    """A buyer who repeats every request under its key until it is acknowledged."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._keys = count()
        self.numbers: dict[str, str] = {}
        self.statuses: dict[int, int] = {}

    def try_once(self, key: str) -> bool:
        """Post the order of a key; returns whether it was acknowledged."""
        lines = [{"sku": SKU, "quantity": 1}]
        order = {"lines": lines, "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
        try:
            response = self._client.ask("POST", "/api/v1/orders", order, {"Idempotency-Key": key})
        except (OSError, HTTPException):
            self.statuses[0] = self.statuses.get(0, 0) + 1
            return False
        self.statuses[response.status] = self.statuses.get(response.status, 0) + 1
        if response.status == 201:
            self.numbers[key] = response.body["number"]
        return response.status == 201

    def buy_for(self, seconds: float) -> int:
        """Post order after order; returns how many were acknowledged."""
        until, acknowledged = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            acknowledged += self.try_once(f"key-{next(self._keys)}")
            time.sleep(0.05)
        return acknowledged


def live_on_a_full_disk(site: Site, megabytes: int) -> Outcome:
    """Buy while a disk of this size is full, has three megabytes left, and has space again."""
    outcome, folder = Outcome(), site.folder / "disk"
    healed = 0.0
    rounds, seconds = (1, 3.0) if site.short else (3, 8.0)
    with disk(folder, megabytes):
        system = embedded(folder, site)
        seconds_to_serve(system)
        client = system.visitor.log_in("buyer", "buyer")
        buyer = Buyer(client)
        longest_log = 0
        for _ in range(rounds):
            with filled(folder, but=3 * MEGABYTE):
                bought = buyer.buy_for(seconds)
                outcome.require(bought > 0, "with 3 MB free no order was acknowledged")
                longest_log = max(longest_log, Path(f"{folder}/var/waybill.sqlite3-wal").stat().st_size)
            with filled(folder):
                buyer.buy_for(seconds)
            began = time.monotonic()
            while not buyer.try_once(f"after-{began}") and time.monotonic() < began + 60:
                time.sleep(0.1)
            healed = max(healed, time.monotonic() - began)
        strange = {status for status in buyer.statuses if status not in (0, 201, 503, 507)}
        outcome.require(not strange, f"responses of {strange}: {buyer.statuses}")
        for key in list(buyer.numbers):
            number = buyer.numbers[key]
            buyer.try_once(key)
            outcome.require(buyer.numbers[key] == number, f"{key} was {number}, and is {buyer.numbers[key]}")
            client.order_once(number, "confirmed", 60)
        outcome.require(system.programs["serve"].exit_code is None, "the process ended")
        outcome.wrong += offenders(system)
        system.tear_down()
    outcome.n |= {
        "orders": len(buyer.numbers),
        "times full": rounds,
        "responses": dict(sorted(buyer.statuses.items())),
        "longest log MB": round(longest_log / MEGABYTE, 1),
        "goes on after s": round(healed, 1),
    }
    outcome.require(healed <= 15, f"went on {healed:.1f} s after there was space")
    return outcome


ON_A_FULL_DISK = "503 or 507, nothing is acknowledged without a commit, and orders go on once there is space"


@TABLE.alone(ON_A_FULL_DISK, short=True)
def full_at_12_mb(site: Site) -> Outcome:
    """A disk of 12 MB that is full, and has 3 MB left."""
    return live_on_a_full_disk(site, 12)


@TABLE.alone(ON_A_FULL_DISK)
def full_at_40_mb(site: Site) -> Outcome:
    """A disk of 40 MB that is full, and has 3 MB left."""
    return live_on_a_full_disk(site, 40)


@TABLE.alone(ON_A_FULL_DISK)
def full_at_256_mb(site: Site) -> Outcome:
    """A disk of 256 MB that is full, and has 3 MB left."""
    return live_on_a_full_disk(site, 256)


@TABLE.alone("each command ends with one sentence")
def read_only(site: Site) -> Outcome:
    """The disk with var/ is read-only."""
    outcome, folder = Outcome(), site.folder / "disk"
    with disk(folder, 12):
        system = embedded(folder, site)
        seconds_to_serve(system)
        system.tear_down()
        remount = ["mount", "-o", "remount,ro", str(folder)]
        eventually(lambda: subprocess.run(remount, check=False).returncode, lambda code: code == 0, "a read-only disk")
        commands = (["migrate"], ["demo_shop"], ["serve", "--port", str(free_port())], ["verify"])
        for command in commands:
            done = subprocess.run(
                [*MANAGE, *command], cwd="/", env=system.environment, capture_output=True, text=True, check=False
            )
            lines = (done.stdout + done.stderr).splitlines()
            said = done.returncode == 1 and len(lines) == 1 and "cannot be written" in lines[0]
            outcome.require(said, f"{command[0]} exited with {done.returncode} and {len(lines)} lines: {lines[-1:]}")
    outcome.n["commands"] = len(commands)
    return outcome
