"""Brokers that are ill: they refuse, fall silent, are slow or lose what they hold, and the system goes on once they
are well.

Each row breaks a broker while orders are placed, starts a worker and beat in the middle of it, and makes the broker
well again. Measured is how long it then takes until every order that was placed is confirmed.

Run alone, with servers of its own: `python -m tests.chaos.outages.brokers [redis|rabbitmq] [--only NAME]`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import kombu
import redis

from tests.chaos.outages.proxy import Proxy
from tests.chaos.outages.rabbitmq import RabbitMQ
from tests.chaos.servers import PostgreSQL
from tests.chaos.servers import Redis as PlainRedis
from tests.system.running_system import MANAGE, PYTHON, ROOT, System, eventually, free_port

HEALED_WITHIN = 15.0
LONGEST_REQUEST = 1.1
"""Seconds by which the broker may delay a request."""
SKU = "MUG-ENAMEL-CREAM"


class Redis(PlainRedis):
    """A Redis that allows commands which make it ill, behind a proxy."""

    def command(self) -> list[str]:
        return [*super().command(), "--enable-debug-command", "local", "--enable-protected-configs", "local"]


AT_ONCE = {"black_holes", "closed_by_the_server", "queues_deleted"}
"""Outages that are over as soon as they have happened. Nothing is started in the middle of them."""


class Sick(NamedTuple):
    """A broker, and the proxy through which the system reaches it."""

    server: Any
    proxy: Proxy


Outage = Callable[[Sick], Any]
REDIS: dict[str, Outage] = {}
RABBITMQ: dict[str, Outage] = {}


def row(table: dict[str, Outage]) -> Callable[[Callable[[Sick], Iterator[None]]], Outage]:
    """Register an outage: a generator that makes the broker ill, yields, and makes it well again."""

    def register(outage: Callable[[Sick], Iterator[None]]) -> Outage:
        table[outage.__name__] = contextmanager(outage)
        return table[outage.__name__]

    return register


# --- Redis ---


@contextmanager
def configured(broker: Sick, **changes: object) -> Iterator[None]:
    """Change Redis's configuration, and set it back."""
    with broker.server.client() as client:
        before = {name: client.config_get(name)[name] for name in (key.replace("_", "-") for key in changes)}
        for name, value in changes.items():
            client.config_set(name.replace("_", "-"), value)
        yield
        for name, value in before.items():
            client.config_set(name, value)


@row(REDIS)
def replica(broker: Sick) -> Iterator[None]:
    """READONLY and UNBLOCKED: a fail-over to a replica and back."""
    with broker.server.client() as client:
        client.replicaof("127.0.0.1", free_port())
        yield
        client.replicaof("NO", "ONE")


@row(REDIS)
def replica_without_master(broker: Sick) -> Iterator[None]:
    """MASTERDOWN: a replica that serves no stale data."""
    with configured(broker, replica_serve_stale_data="no"), broker.server.client() as client:
        client.replicaof("127.0.0.1", free_port())
        yield
        client.replicaof("NO", "ONE")


@row(REDIS)
def unblocked(broker: Sick) -> Iterator[None]:
    """UNBLOCKED: every blocked client gets an error reply, again and again."""
    stop = threading.Event()

    def unblock() -> None:
        with broker.server.client() as client:
            while not stop.wait(0.2):
                for each in client.client_list():
                    client.client_unblock(int(each["id"]), error=True)

    thread = threading.Thread(target=unblock)
    thread.start()
    yield
    stop.set()
    thread.join()


@row(REDIS)
def loading(broker: Sick) -> Iterator[None]:
    """LOADING: Redis reads its data from disk."""

    def reload() -> None:
        with suppress(redis.RedisError), redis.Redis(port=broker.server.port, socket_timeout=60) as client:
            client.execute_command("DEBUG", "RELOAD")

    with configured(broker, key_load_delay=400, loading_process_events_interval_bytes=1024):
        with broker.server.client() as client:
            client.execute_command("DEBUG", "POPULATE", 20_000)
        thread = threading.Thread(target=reload)
        thread.start()
        yield
        thread.join()
    with broker.server.client() as client:
        client.flushdb()


@row(REDIS)
def full(broker: Sick) -> Iterator[None]:
    """OOM: Redis has used all the memory it may use."""
    with configured(broker, maxmemory=1):
        yield


@row(REDIS)
def without_replicas(broker: Sick) -> Iterator[None]:
    """NOREPLICAS: too few replicas to accept writes."""
    with configured(broker, min_replicas_to_write=1):
        yield


@row(REDIS)
def misconfigured(broker: Sick) -> Iterator[None]:
    """MISCONF: Redis cannot save to disk, and refuses writes and PING."""
    gone = broker.server.folder / "gone"
    gone.mkdir()
    with configured(broker, save="3600 1", dir=str(gone)), broker.server.client() as client:
        gone.rmdir()
        client.bgsave()
        eventually(
            lambda: client.info("persistence")["rdb_last_bgsave_status"], lambda it: it == "err", "a failed save"
        )
        yield
        gone.mkdir()
    gone.rmdir()


@row(REDIS)
def not_permitted(broker: Sick) -> Iterator[None]:
    """NOPERM: the user may do nothing."""
    with as_another_user(broker) as client:
        client.execute_command("ACL", "SETUSER", "default", "-@all")
        yield
        client.execute_command("ACL", "SETUSER", "default", "+@all")


@row(REDIS)
def not_authenticated(broker: Sick) -> Iterator[None]:
    """NOAUTH: the password was changed, and changed back."""
    with as_another_user(broker) as client:
        client.execute_command("ACL", "SETUSER", "default", "resetpass", ">secret")
        client.execute_command("CLIENT", "KILL", "USER", "default")
        yield
        client.execute_command("ACL", "SETUSER", "default", "nopass")


@row(REDIS)
def too_many_clients(broker: Sick) -> Iterator[None]:
    """ERR max number of clients reached."""
    with as_another_user(broker) as client:
        client.config_set("maxclients", 1)
        client.execute_command("CLIENT", "KILL", "USER", "default")
        yield
        client.config_set("maxclients", 10_000)


@contextmanager
def as_another_user(broker: Sick) -> Iterator["redis.Redis[bytes]"]:
    """A client that stays allowed to do everything."""
    with broker.server.client() as client:
        client.execute_command("ACL", "SETUSER", "owner", "on", ">owner", "~*", "&*", "+@all")
    with redis.Redis(port=broker.server.port, username="owner", password="owner") as client:
        yield client


def in_front_of_both(outage: Callable[[Sick], Iterator[None]]) -> Outage:
    """Register an outage of the network for both brokers."""
    row(REDIS)(outage)
    return row(RABBITMQ)(outage)


@in_front_of_both
def black_holes(broker: Sick) -> Iterator[None]:
    """Open connections carry nothing any more, and new ones work."""
    broker.proxy.turn_into_black_holes()
    yield


@in_front_of_both
def silent(broker: Sick) -> Iterator[None]:
    """Accepts connections and says nothing, neither on them nor on those that are open."""
    broker.proxy.silent = True
    yield
    broker.proxy.silent = False


@in_front_of_both
def slow(broker: Sick) -> Iterator[None]:
    """Every reply comes 300 ms late."""
    broker.proxy.delay = 0.15  # in each direction
    yield
    broker.proxy.delay = 0.0


# --- RabbitMQ ---


@row(RABBITMQ)
def closed_by_the_server(broker: Sick) -> Iterator[None]:
    """The server closes all connections."""
    broker.server.control("close_all_connections", "closed by an operator")
    yield


@row(RABBITMQ)
def blocked_by_an_alarm(broker: Sick) -> Iterator[None]:
    """Too little memory: publishers are blocked."""
    broker.server.control("set_vm_memory_high_watermark", "0.000001")
    yield
    broker.server.control("set_vm_memory_high_watermark", "0.4")


@row(RABBITMQ)
def queues_deleted(broker: Sick) -> Iterator[None]:
    """All queues are deleted."""
    names = broker.server.control("list_queues", "--quiet", "--no-table-headers", "name").split()
    with kombu.Connection(broker.server.url) as connection:
        for name in names:
            connection.default_channel.queue_delete(name)
    assert names, "there was no queue to delete"
    yield


@row(RABBITMQ)
def permissions_taken(broker: Sick) -> Iterator[None]:
    """ACCESS_REFUSED: the user may do nothing; who is connected is refused at the next use."""
    broker.server.control("set_permissions", "guest", "^$", "^$", "^$")
    broker.server.control("close_all_connections", "permissions have changed")
    yield
    broker.server.control("set_permissions", "guest", ".*", ".*", ".*")


# --- What is done in each ---


def live_through(outage: Outage, broker: Sick, system: System, orders: int, seconds: float = 6.0) -> dict[str, Any]:
    """Place orders before, in and after an outage, and start a worker and beat in the middle of it.

    Args:
        outage: one of the rows.
        broker: the system's.
        system: one that runs, with its web, workers and beat.
        orders: how many are placed.
        seconds: how long the outage lasts, at least.

    Returns:
        A row of the report: `n` orders, the seconds until `healed`, the `longest request`, and what was wrong.
    """
    buyer = system.visitor.log_in("buyer", "buyer")
    placed: list[str] = []
    longest = 0.0

    def place() -> str:
        nonlocal longest
        began = time.monotonic()
        placed.append(buyer.place({SKU: 1}))
        longest = max(longest, time.monotonic() - began)
        return placed[-1]

    for _ in range(orders // 4):
        place()
    usual, longest = longest, 0.0
    with outage(broker):
        until = time.monotonic() + seconds
        while outage.__name__ not in AT_ONCE and (time.monotonic() < until or len(placed) < orders - 1):
            place()
            time.sleep(seconds / orders)
            if len(placed) == orders // 2:
                for name in [name for name in system.commands if name.startswith(("worker", "beat"))][-2:]:
                    system.kill(name)
                    system.start(name)
    well = time.monotonic()
    while len(placed) < orders or time.monotonic() < well + 1.0:
        place()
        time.sleep(0.1)
    wrong = []
    for number in placed:
        try:
            buyer.order_once(number, "confirmed", within=60)
        except AssertionError:
            wrong.append(f"{number} was not confirmed")
    healed = time.monotonic() - well
    if healed > HEALED_WITHIN:
        wrong.append(f"healed after {healed:.1f} s")
    if longest > usual + LONGEST_REQUEST:
        wrong.append(f"a request took {longest:.1f} s")
    for name, program in system.programs.items():
        if program.exit_code is not None:
            wrong.append(f"{name} ended with {program.exit_code}")
            system.start(name)
    return {
        "what": (outage.__doc__ or "").splitlines()[0],
        "n": len(placed),
        "healed": round(healed, 1),
        "longest request": round(longest, 2),
        "violations": wrong,
    }


def live_through_all(broker: Sick, system: System, table: dict[str, Outage], orders: int, only: str) -> dict[str, Any]:
    """All rows of a table whose name contains one of the words of `only`, which are separated by commas."""
    report = {}
    for name, outage in table.items():
        if any(word in name for word in only.split(",")):
            report[name] = live_through(outage, broker, system, orders)
            print(f"{name}: {report[name]}", file=sys.stderr, flush=True)
    return report


# --- Alone ---


def build(folder: Path, postgresql: PostgreSQL, broker_url: str, prefix: str = "ill") -> System:
    """A system on these servers, with the demo shop."""
    postgresql.ask(f"CREATE DATABASE {prefix}")
    port = free_port()
    own = {
        "DATABASE_URL": postgresql.url(prefix),
        "CELERY_BROKER_URL": broker_url,
        "QUEUE_PREFIX": prefix,
        "EMAIL_URL": "dummymail://",
        "PAYMENT_PROVIDER": "sandbox",
        "PYTHONPATH": str(ROOT),
        "SECRET_KEY": "not a secret, only what a system signs with: 0123456789",
        "WAYBILL_VAR": str(folder / "var"),
    }
    environment = {**os.environ, **own}
    for command in (["migrate", "--verbosity", "0"], ["demo_shop", "--force"]):
        subprocess.run([*MANAGE, *command], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    celery = [*PYTHON, "-m", "celery", "-A", "config"]
    commands = {
        "web": [*MANAGE, "serve", "--port", str(port)],
        **{f"worker{i}": [*celery, "worker", "-c", "1", "-n", f"{i}@%h"] for i in (1, 2)},
        "beat": [*celery, "beat"],
    }
    return System(folder, environment, commands, port)


def main() -> int:
    """Live through the outages of one broker; prints the report, and returns 1 if something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.outages.brokers", description=__doc__)
    parser.add_argument("broker", choices=["redis", "rabbitmq"])
    parser.add_argument("--only", default="")
    parser.add_argument("--orders", type=int, default=20)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="waybill-outages-"))
    folder.chmod(0o755)
    with ExitStack() as ends:
        server = Redis(folder / "redis") if options.broker == "redis" else RabbitMQ(folder / "rabbitmq")
        postgresql = PostgreSQL(folder / "pg", durable=False)
        for each in (server, postgresql):
            each.start()
            ends.callback(each.kill)
        broker = Sick(server, Proxy(server.port))
        ends.callback(broker.proxy.close)
        (folder / "system").mkdir()
        url = server.url.replace(str(server.port), str(broker.proxy.port))
        system = build(folder / "system", postgresql, url)
        ends.callback(system.tear_down)
        system.open()
        table = REDIS if options.broker == "redis" else RABBITMQ
        report = live_through_all(broker, system, table, options.orders, options.only)
    print(json.dumps(report, indent=2))
    print(folder, file=sys.stderr)
    return int(any(each["violations"] for each in report.values()))


if __name__ == "__main__":
    sys.exit(main())
