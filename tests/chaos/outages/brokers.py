"""Brokers that are ill: they refuse, fall silent, are slow or lose what they hold."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import kombu
import redis

from tests.chaos.outages.shop import Shop
from tests.chaos.outages.table import Table
from tests.system.running_system import eventually, free_port

REDIS = Table("Redis", brokers=("redis",))
RABBITMQ = Table("RabbitMQ", brokers=("rabbitmq",))

# --- Redis ---


@contextmanager
def configured(shop: Shop, **changes: object) -> Iterator[None]:
    """Change Redis's configuration, and set it back."""
    with shop.broker.server.client() as client:
        before = {name: client.config_get(name)[name] for name in (key.replace("_", "-") for key in changes)}
        for name, value in changes.items():
            client.config_set(name.replace("_", "-"), value)
        try:
            yield
        finally:
            for name, value in before.items():
                client.config_set(name, value)


@REDIS.row(short=True)
def replica(shop: Shop) -> Iterator[None]:
    """READONLY and UNBLOCKED: a fail-over to a replica and back."""
    with shop.broker.server.client() as client:
        client.replicaof("127.0.0.1", free_port())
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")


@REDIS.row()
def replica_without_master(shop: Shop) -> Iterator[None]:
    """MASTERDOWN: a replica that serves no stale data."""
    with configured(shop, replica_serve_stale_data="no"), shop.broker.server.client() as client:
        client.replicaof("127.0.0.1", free_port())
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")


@REDIS.row(short=True)
def unblocked(shop: Shop) -> Iterator[None]:
    """UNBLOCKED: every blocked client gets an error reply, again and again."""
    stop = threading.Event()

    def unblock() -> None:
        with shop.broker.server.client() as client:
            while not stop.wait(0.2):
                for each in client.client_list():
                    client.client_unblock(int(each["id"]), error=True)

    thread = threading.Thread(target=unblock)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@REDIS.row()
def loading(shop: Shop) -> Iterator[None]:
    """LOADING: Redis reads its data from disk."""

    def reload() -> None:
        with suppress(redis.RedisError), redis.Redis(port=shop.broker.server.port, socket_timeout=60) as client:
            client.execute_command("DEBUG", "RELOAD")

    with configured(shop, key_load_delay=400, loading_process_events_interval_bytes=1024):
        with shop.broker.server.client() as client:
            client.execute_command("DEBUG", "POPULATE", 20_000)
        thread = threading.Thread(target=reload)
        thread.start()
        try:
            yield
        finally:
            thread.join()
    with shop.broker.server.client() as client:
        client.flushdb()


@REDIS.row(short=True)
def full(shop: Shop) -> Iterator[None]:
    """OOM: Redis has used all the memory it may use."""
    with configured(shop, maxmemory=1):
        yield


@REDIS.row(short=True)
def without_replicas(shop: Shop) -> Iterator[None]:
    """NOREPLICAS: too few replicas to accept writes."""
    with configured(shop, min_replicas_to_write=1):
        yield


@REDIS.row()
def misconfigured(shop: Shop) -> Iterator[None]:
    """MISCONF: Redis cannot save to disk, and refuses writes and PING."""
    gone = shop.broker.server.folder / "gone"
    gone.mkdir()
    with configured(shop, save="3600 1", dir=str(gone)), shop.broker.server.client() as client:
        gone.rmdir()
        client.bgsave()
        eventually(
            lambda: client.info("persistence")["rdb_last_bgsave_status"], lambda it: it == "err", "a failed save"
        )
        try:
            yield
        finally:
            gone.mkdir()
    gone.rmdir()


@REDIS.row(short=True)
def not_permitted(shop: Shop) -> Iterator[None]:
    """NOPERM: the user may do nothing."""
    with as_another_user(shop) as client:
        client.execute_command("ACL", "SETUSER", "default", "-@all")
        try:
            yield
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+@all")


@REDIS.row()
def not_authenticated(shop: Shop) -> Iterator[None]:
    """NOAUTH: the password was changed, and changed back."""
    with as_another_user(shop) as client:
        client.execute_command("ACL", "SETUSER", "default", "resetpass", ">secret")
        client.execute_command("CLIENT", "KILL", "USER", "default")
        try:
            yield
        finally:
            client.execute_command("ACL", "SETUSER", "default", "nopass")


@REDIS.row()
def too_many_clients(shop: Shop) -> Iterator[None]:
    """ERR max number of clients reached."""
    with as_another_user(shop) as client:
        client.config_set("maxclients", 1)
        client.execute_command("CLIENT", "KILL", "USER", "default")
        try:
            yield
        finally:
            client.config_set("maxclients", 10_000)


@contextmanager
def as_another_user(shop: Shop) -> Iterator["redis.Redis[bytes]"]:
    """A client that stays allowed to do everything."""
    with shop.broker.server.client() as client:
        client.execute_command("ACL", "SETUSER", "owner", "on", ">owner", "~*", "&*", "+@all")
    with redis.Redis(port=shop.broker.server.port, username="owner", password="owner") as client:
        yield client


# --- The network before each broker ---


@RABBITMQ.row(at_once=True)
@REDIS.row(at_once=True)
def black_holes(shop: Shop) -> Iterator[None]:
    """Open connections carry nothing any more, and new ones work."""
    shop.broker.proxy.turn_into_black_holes()
    yield


@RABBITMQ.row()
@REDIS.row()
def silent(shop: Shop) -> Iterator[None]:
    """Accepts connections and says nothing, neither on them nor on those that are open."""
    shop.broker.proxy.silent = True
    try:
        yield
    finally:
        shop.broker.proxy.silent = False


@RABBITMQ.row()
@REDIS.row()
def slow(shop: Shop) -> Iterator[None]:
    """Every reply comes 300 ms late."""
    shop.broker.proxy.delay = 0.15  # in each direction
    try:
        yield
    finally:
        shop.broker.proxy.delay = 0.0


# --- RabbitMQ ---


@RABBITMQ.row(at_once=True, short=True)
def closed_by_the_server(shop: Shop) -> Iterator[None]:
    """The server closes all connections."""
    shop.broker.server.control("close_all_connections", "closed by an operator")
    yield


@RABBITMQ.row()
def blocked_by_an_alarm(shop: Shop) -> Iterator[None]:
    """Too little memory: publishers are blocked."""
    shop.broker.server.control("set_vm_memory_high_watermark", "0.000001")
    try:
        yield
    finally:
        shop.broker.server.control("set_vm_memory_high_watermark", "0.4")


@RABBITMQ.row(at_once=True)
def queues_deleted(shop: Shop) -> Iterator[None]:
    """All queues are deleted."""
    names = shop.broker.server.control("list_queues", "--quiet", "--no-table-headers", "name").split()
    with kombu.Connection(shop.broker.server.url) as connection:
        for name in names:
            connection.default_channel.queue_delete(name)
    assert names, "there was no queue to delete"
    yield


@RABBITMQ.row(short=True)
def permissions_taken(shop: Shop) -> Iterator[None]:
    """ACCESS_REFUSED: the user may do nothing; who is connected is refused at the next use."""
    shop.broker.server.control("set_permissions", "guest", "^$", "^$", "^$")
    shop.broker.server.control("close_all_connections", "permissions have changed")
    try:
        yield
    finally:
        shop.broker.server.control("set_permissions", "guest", ".*", ".*", ".*")
