"""kombu's transports, without two faults: a malformed message ends a worker, and TLS checks no host name."""

import logging
from queue import Empty
from typing import Any

from amqp import serialization
from kombu.transport import TRANSPORT_ALIASES, pyamqp, redis
from redis import DataError, RedisError

log = logging.getLogger(__name__)


class _DropsMalformed(redis.Channel):
    """A channel on which an entry of a queue that is no message is dropped and logged.

    Redis queues are lists that anybody can push to. kombu has already popped the entry when it fails to read it, and
    lets the error end the worker.
    """

    def _brpop_read(self, **options: Any) -> bool | None:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # private, so it is not in the stubs
        except DataError as error:  # an identifier that Redis cannot store, such as a list
            log.error("dropped a malformed message: %s", error)
        except (Empty, OSError, RedisError):
            raise
        except Exception as error:
            log.error("dropped a malformed message: %r", error)
        return True


class RedisTransport(redis.Transport):
    """Redis, without messages that are none."""

    Channel = _DropsMalformed


class _SentinelChannel(_DropsMalformed, redis.SentinelChannel):
    pass


class SentinelTransport(redis.SentinelTransport):
    """Redis behind Sentinel, without messages that are none."""

    Channel = _SentinelChannel


class RabbitMQTransport(pyamqp.SSLTransport):
    """RabbitMQ over TLS. The certificate must be for the host that is connected to, also after a fail-over."""

    def establish_connection(self) -> Any:
        client: Any = self.client
        client.ssl = {**client.ssl, "server_hostname": client.hostname}
        return super().establish_connection()


def _decoded(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def use_these_transports() -> None:
    """Let broker URLs lead to these transports, and let py-amqp read properties that are not UTF-8.

    Otherwise such a property ends the worker, and RabbitMQ delivers the message again at each restart.
    """
    vars(serialization)["pstr_t"] = _decoded
    TRANSPORT_ALIASES.update(
        redis=f"{__name__}:RedisTransport",
        rediss=f"{__name__}:RedisTransport",
        sentinel=f"{__name__}:SentinelTransport",
        amqps=f"{__name__}:RabbitMQTransport",
    )
