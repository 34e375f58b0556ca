"""How Waybill reaches its broker: timeouts, fail-over, TLS and transport options for Redis, Sentinel and RabbitMQ."""

import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from amqp import Connection
from django.core.exceptions import ImproperlyConfigured

REDIS = {"redis", "redis+socket", "rediss", "sentinel"}
RABBITMQ = {"amqp", "amqps", "pyamqp"}
ENCRYPTED = {"rediss", "amqps"}

SEND_WITHIN = 0.9
"""Seconds in which a lost connection is noticed and every broker URL tried once, when a message is sent."""
CONSUME_TIMEOUT = 4.0
"""Seconds after which a worker gives up a connection on which an expected reply does not come."""


def broker_settings(urls: str, options: Mapping[str, Any] | None = None, ca_file: str = "") -> dict[str, Any]:
    """The settings for a broker.

    Args:
        urls: one URL, or several separated by `;`. Several name the nodes of one cluster.
        options: transport options of kombu, which precede ours when a worker consumes.
        ca_file: the certificates that the broker's certificate must lead to; without, those of the machine.

    Returns:
        Celery's transport options and TLS settings, and the transport options with which wake-ups are sent.

    Raises:
        ImproperlyConfigured: for what would be ignored, would not verify, or could not work.
    """
    schemes = {url.partition("://")[0].lower() for url in urls.split(";")}
    scheme = min(schemes)
    if len(schemes) > 1 or scheme not in REDIS | RABBITMQ:
        raise ImproperlyConfigured(
            "CELERY_BROKER_URL must be memory://, or one or several URLs of one kind, separated by ';': "
            f"{', '.join(sorted(REDIS | RABBITMQ))}"
        )
    if not isinstance(options or {}, Mapping):
        raise ImproperlyConfigured('BROKER_TRANSPORT_OPTIONS must be a JSON object, such as {"master_name": "main"}')
    given = dict(options or {})
    if scheme == "sentinel" and "master_name" not in given:
        raise ImproperlyConfigured('sentinel:// needs BROKER_TRANSPORT_OPTIONS={"master_name": "..."}')
    for url in urls.split(";") if scheme != "redis+socket" else ():
        _refuse_nonsense(scheme, url)
        _refuse_parameters(scheme, url)
    attempts = urls.count(";") + 1
    timeout = min(0.4, SEND_WITHIN / (attempts + 1))
    # Sentinel's URLs are asked by one attempt, which connects to the master itself.
    failover = {"max_retries": attempts - 1 if scheme != "sentinel" else 0, "interval_start": 0, "interval_step": 0}
    if scheme in REDIS:
        consume, send = _redis_timeouts(CONSUME_TIMEOUT), _redis_timeouts(timeout)
        consume |= {"socket_keepalive": True, "health_check_interval": 3}
    else:
        consume, send = _rabbitmq_timeouts(CONSUME_TIMEOUT), _rabbitmq_timeouts(timeout)
        send["confirm_publish"] = True  # otherwise a message sent on a connection that is lost is lost unnoticed
    if scheme == "sentinel" and ca_file:
        given["sentinel_kwargs"] = {**_redis_tls(ca_file), "ssl": True, **given.get("sentinel_kwargs", {})}
    return {
        "CELERY_BROKER_TRANSPORT_OPTIONS": {**consume, **given},
        "CELERY_BROKER_USE_SSL": _tls(scheme, ca_file),
        "WAKEUP_TRANSPORT_OPTIONS": {**consume, **given, **send, **failover},
    }


def _refuse_nonsense(scheme: str, url: str) -> None:
    """kombu would fail at the first connection, with an error that names no setting."""
    try:
        parts = urlsplit(url)
        is_sound = parts.port is None or parts.port > 0
    except ValueError:
        is_sound = False
    if not is_sound or not parts.hostname:
        raise ImproperlyConfigured(f"CELERY_BROKER_URL must be {scheme}://host:port/, with a port from 1 to 65535")
    if scheme in REDIS and not re.fullmatch("/?|/[0-9]{1,9}", parts.path):
        raise ImproperlyConfigured(f"CELERY_BROKER_URL must end with the number of a database: {scheme}://host:port/0")


def _refuse_parameters(scheme: str, url: str) -> None:
    """kombu would ignore parameters of a URL, or fail at the first connection; those of TLS could switch it off."""
    parameters = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    verifies = parameters.pop("ssl_cert_reqs", "required") in {"required", "CERT_REQUIRED"}
    if not verifies or parameters.pop("ssl_check_hostname", "true").lower() == "false":
        raise ImproperlyConfigured(
            "CELERY_BROKER_URL must not switch verification off: name the broker's certificate authority in "
            "BROKER_CA_FILE"
        )
    if scheme == "rediss":
        parameters = {name: value for name, value in parameters.items() if not name.startswith("ssl_")}
    if parameters:
        raise ImproperlyConfigured(
            f"CELERY_BROKER_URL takes no parameter {', '.join(sorted(parameters))}: set it in "
            "BROKER_TRANSPORT_OPTIONS, and the certificate authority in BROKER_CA_FILE"
        )


def _redis_timeouts(seconds: float) -> dict[str, Any]:
    return {"socket_timeout": seconds, "socket_connect_timeout": seconds}


def _rabbitmq_timeouts(seconds: float) -> dict[str, Any]:
    def limit_each_read_and_write(connection: Connection) -> None:
        connection.transport.sock.settimeout(seconds)

    return {"connect_timeout": seconds, "on_open": limit_each_read_and_write}


def _tls(scheme: str, ca_file: str) -> dict[str, Any] | bool:
    if scheme == "amqps":
        return {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": ca_file or None}
    if scheme == "rediss" or (scheme == "sentinel" and ca_file):
        return _redis_tls(ca_file)
    if ca_file:
        raise ImproperlyConfigured(
            "BROKER_CA_FILE is set, but CELERY_BROKER_URL uses no TLS: write rediss:// or amqps://"
        )
    return False


def _redis_tls(ca_file: str) -> dict[str, Any]:
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": ca_file or None}
