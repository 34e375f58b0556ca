"""What is logged: one line each to stderr, redacted; as text for people or as JSON for programs."""

from typing import Any, NamedTuple

from config.environment import Environment

LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
FORMATTERS = {"text": "integration.logs.TextFormatter", "json": "integration.logs.JsonFormatter"}


class LogSettings(NamedTuple):
    """The settings.

    Args:
        level: the least severe that is logged.
        form: `text` or `json`.
        access: whether each request and each delivery has a line.
        search_url: the page of the log system that shows the lines of a story; empty if there is none.
    """

    level: str
    form: str
    access: bool
    search_url: str


def log_settings(env: Environment, *, is_embedded: bool) -> LogSettings:
    """Read the settings from the environment.

    Args:
        env: the environment.
        is_embedded: whether one process does everything. Then access lines are off by default: they would fill the
            terminal of somebody who tries Waybill.
    """
    return LogSettings(
        env.one_of("LOG_LEVEL", LEVELS, "INFO"),
        env.one_of("LOG_FORMAT", list(FORMATTERS), "text"),
        env.flag("ACCESS_LOG", not is_embedded),
        env.text(
            "LOG_SEARCH_URL",
            "",
            r"https?://[^{}]*\{correlation_id\}[^{}]*",
            "begin with http:// or https:// and contain {correlation_id}",
        ),
    )


def logging_settings(logs: LogSettings) -> dict[str, Any]:
    """Django's settings of logging."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "class": FORMATTERS[logs.form],
                "format": "{asctime} {levelname:<7} {name}: {message}",
                "style": "{",
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": logs.level},
        "loggers": {
            **({} if logs.access else {"waybill.access": {"level": "WARNING"}}),
            "celery": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
            # Clients that disconnect, and requests that wait for a thread, are everyday events.
            "waitress": {"level": "WARNING"},
            "waitress.queue": {"level": "ERROR"},
            # A client error is reported in the response, not in the log.
            "django.request": {"level": "ERROR"},
            # Django's defaults have handlers of their own, which write another format.
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
        },
    }
