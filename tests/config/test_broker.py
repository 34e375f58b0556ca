"""The settings for a broker's URL, what is refused, and TLS against a Redis with a certificate of its own."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import kombu
import pytest
from celery import Celery
from django.core.exceptions import ImproperlyConfigured
from kombu.exceptions import OperationalError

from config.broker import SEND_WITHIN, broker_settings
from tests.chaos.servers import Redis
from tests.system.running_system import free_port

HOSTS = "redis://a:6379/0;redis://b:6379/0;redis://c:6379/0"


def connection(url: str, **given: Any) -> kombu.Connection:
    """The connection that Celery would use."""
    settings = broker_settings(url, **given)
    app = Celery("test", set_as_current=False)
    app.conf.update(
        broker_transport_options=settings["CELERY_BROKER_TRANSPORT_OPTIONS"],
        broker_use_ssl=settings["CELERY_BROKER_USE_SSL"],
    )
    return app.connection_for_write(url=url, transport_options=settings["WAKEUP_TRANSPORT_OPTIONS"])


@pytest.mark.parametrize(
    ("url", "given", "refusal"),
    [
        ("sqs://", {}, "of one kind"),
        ("redis://a;amqp://b", {}, "of one kind"),
        ("redis://a/0;rediss://b/0", {}, "of one kind"),
        ("redis://a/0?socket_timeout=3", {}, "no parameter socket_timeout"),
        ("amqp://a//?heartbeat=3", {}, "no parameter heartbeat"),
        ("amqps://a//?ssl_ca_certs=/ca", {}, "BROKER_CA_FILE"),
        ("rediss://a/0?ssl_cert_reqs=none", {}, "must not switch verification off"),
        ("rediss://a/0?ssl_cert_reqs=CERT_OPTIONAL", {}, "must not switch verification off"),
        ("rediss://a/0;rediss://b/0?ssl_check_hostname=False", {}, "must not switch verification off"),
        ("redis://a/0", {"ca_file": "/ca"}, "uses no TLS"),
        ("amqp://a//", {"ca_file": "/ca"}, "uses no TLS"),
        ("sentinel://a:26379/0", {}, "master_name"),
        ("redis://a/0", {"options": ["master_name"]}, "JSON object"),
    ],
)
def test_what_would_be_ignored_or_verify_nothing_is_refused(url: str, given: dict[str, Any], refusal: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=refusal):
        broker_settings(url, **given)


@pytest.mark.parametrize("url", ["redis://a/0", HOSTS, HOSTS + HOSTS.replace("redis", ";redis", 1), "amqp://a//"])
def test_all_hosts_are_tried_within_a_second(url: str) -> None:
    options = broker_settings(url)["WAKEUP_TRANSPORT_OPTIONS"]
    attempts = options["max_retries"] + 1
    timeout = options.get("socket_connect_timeout") or options["connect_timeout"]

    assert attempts == len(url.split(";"))
    assert (attempts + 1) * timeout <= SEND_WITHIN + 0.001


def test_options_that_are_given_precede_ours_where_a_worker_consumes() -> None:
    settings = broker_settings("redis://a/0", {"socket_timeout": 60, "visibility_timeout": 7})

    assert settings["CELERY_BROKER_TRANSPORT_OPTIONS"]["socket_timeout"] == 60
    assert settings["WAKEUP_TRANSPORT_OPTIONS"]["socket_timeout"] == 0.4
    assert settings["WAKEUP_TRANSPORT_OPTIONS"]["visibility_timeout"] == 7


def test_several_urls_are_the_hosts_of_one_connection() -> None:
    several = connection(HOSTS)

    assert (several.hostname, several.alt) == ("a", HOSTS.split(";"))
    several.maybe_switch_next()
    assert several.hostname == "b"


def test_sentinel_finds_the_master_and_is_reached_over_tls_if_a_ca_is_given() -> None:
    options = {"master_name": "main", "sentinel_kwargs": {"password": "p"}}
    plain = broker_settings("sentinel://a:26379;sentinel://b:26379/0", options)
    encrypted = broker_settings("sentinel://a:26379/0", options, "/ca")

    assert plain["CELERY_BROKER_TRANSPORT_OPTIONS"]["master_name"] == "main"
    assert plain["CELERY_BROKER_USE_SSL"] is False
    assert encrypted["CELERY_BROKER_USE_SSL"]["ssl_ca_certs"] == "/ca"
    sentinel = encrypted["CELERY_BROKER_TRANSPORT_OPTIONS"]["sentinel_kwargs"]
    assert (sentinel["password"], sentinel["ssl"], sentinel["ssl_ca_certs"]) == ("p", True, "/ca")


def test_rabbitmq_over_tls_is_verified_for_each_host_it_fails_over_to(monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "kombu.transport.pyamqp.Transport.establish_connection", lambda self: verified.append(self.client.ssl)
    )
    rabbitmq = connection("amqps://a//;amqps://b//", ca_file="/ca")

    rabbitmq.transport.establish_connection()
    rabbitmq.maybe_switch_next()
    rabbitmq.transport.establish_connection()

    assert [each["server_hostname"] for each in verified] == ["a", "b"]
    assert {each["cert_reqs"] for each in verified} == {ssl.CERT_REQUIRED}
    assert {each["ca_certs"] for each in verified} == {"/ca"}


# --- A real Redis that speaks TLS ---


class EncryptedRedis(Redis):
    """A Redis that speaks only TLS, with a certificate for 127.0.0.1 that signs itself."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=waybill"]
        made += ["-keyout", str(self.key), "-out", str(self.certificate), "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(made, check=True, capture_output=True)

    @property
    def url(self) -> str:
        return f"rediss://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        tls = ["--tls-port", str(self.port), "--tls-auth-clients", "no"]
        files = ["--tls-cert-file", str(self.certificate), "--tls-key-file", str(self.key)]
        return [*super().command(), "--port", "0", *tls, *files]

    def responses(self) -> bool:
        with closing(connection(self.url, ca_file=str(self.certificate))) as broker:
            try:
                return bool(broker.default_channel)
            except OperationalError:
                return False


@pytest.fixture(scope="module")
def encrypted_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncryptedRedis]:
    server = EncryptedRedis(tmp_path_factory.mktemp("tls") / "redis")
    server.start()
    yield server
    server.kill()


@pytest.mark.redis
def test_a_redis_whose_certificate_the_given_ca_signed_is_used(encrypted_redis: EncryptedRedis) -> None:
    with connection(encrypted_redis.url, ca_file=str(encrypted_redis.certificate)) as broker:
        assert broker.default_channel.client.ping()


@pytest.mark.redis
def test_a_redis_with_an_unknown_certificate_is_refused(encrypted_redis: EncryptedRedis) -> None:
    with (
        connection(encrypted_redis.url) as broker,
        pytest.raises(OperationalError, match="self-signed certificate"),
    ):
        broker.default_channel  # noqa: B018


@pytest.mark.redis
def test_a_redis_whose_certificate_is_for_another_host_is_refused(encrypted_redis: EncryptedRedis) -> None:
    url = encrypted_redis.url.replace("127.0.0.1", "localhost")
    with (
        connection(url, ca_file=str(encrypted_redis.certificate)) as broker,
        pytest.raises(OperationalError, match="Hostname mismatch"),
    ):
        broker.default_channel  # noqa: B018


# --- A real Sentinel ---


class Sentinel(Redis):
    """A Sentinel that watches one Redis under the name `main`."""

    def __init__(self, folder: Path, master: Redis) -> None:
        super().__init__(folder)
        self.configuration = folder / "sentinel.conf"
        self.configuration.write_text(f"port {self.port}\nsentinel monitor main 127.0.0.1 {master.port} 1\n")

    def command(self) -> list[str]:
        return [super().command()[0], str(self.configuration), "--sentinel"]


@pytest.mark.redis
def test_the_redis_that_sentinel_names_is_used_although_one_sentinel_is_down(tmp_path: Path) -> None:
    master = Redis(tmp_path / "redis")
    sentinel = Sentinel(tmp_path / "sentinel", master)
    try:
        for server in (master, sentinel):
            server.start()
        url = f"sentinel://127.0.0.1:{free_port()};sentinel://127.0.0.1:{sentinel.port}/0"
        with connection(url, options={"master_name": "main"}) as broker, master.client() as client:
            broker.default_channel.client.set("key", "value")
            assert client.get("key") == b"value"
            assert broker.transport.driver_type == "redis"
    finally:
        for server in (master, sentinel):
            server.kill()
