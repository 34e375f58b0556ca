"""The settings of webhooks."""

from datetime import timedelta
from typing import NamedTuple

from config import secrets
from config.environment import Environment

PURPOSE = "secrets of webhook endpoints"


class WebhookSettings(NamedTuple):
    """The settings.

    Args:
        signing_key: what the secrets of endpoints are derived from. With another key, every endpoint has other secrets.
        local: whether `http://localhost` is allowed.
        timeout: how long a receiver may take for one request.
        log_retention: how long an attempt is shown.
        broker_url: the RabbitMQ that every event is published to; empty for none.
    """

    signing_key: str
    local: bool
    timeout: timedelta
    log_retention: timedelta
    broker_url: str


def webhook_settings(env: Environment, secret_key: str, *, is_embedded: bool) -> WebhookSettings:
    """Read the settings from the environment; raises `ImproperlyConfigured`.

    Args:
        env: the environment.
        secret_key: Django's `SECRET_KEY`, from which the signing key is derived unless one is given.
        is_embedded: whether this is the embedded mode, where `http://localhost` is allowed.
    """
    given = env.given("WEBHOOK_SIGNING_KEY")
    if given and not is_embedded:
        secrets.refuse_weak("WEBHOOK_SIGNING_KEY", given, secrets.SHORTEST_WEBHOOK_SECRET)
    return WebhookSettings(
        given or secrets.derived(secret_key, PURPOSE),
        is_embedded,
        timedelta(seconds=env.number("WEBHOOK_TIMEOUT_SECONDS", 15, "seconds", least=0.1, most=30)),
        timedelta(days=env.number("WEBHOOK_LOG_DAYS", 30, "days", least=0.01, most=3_650)),
        env.text("EVENTS_BROKER_URL", "", "amqps?://[^/].*", "begin with amqp:// or amqps://"),
    )
