"""What is logged: one line each to stderr, redacted."""

from typing import Any


def logging_settings(level: str) -> dict[str, Any]:
    """Django's settings of logging; `level` is the least severe that is logged."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "class": "integration.domain.redaction.RedactingFormatter",
                "format": "{asctime} {levelname:<7} {name}: {message}",
                "style": "{",
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "celery": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
            # Clients that disconnect, and requests that wait for a thread, are everyday events.
            "waitress": {"level": "WARNING"},
            "waitress.queue": {"level": "ERROR"},
            # A client error is reported in the response, not in the log.
            "django.request": {"level": "ERROR"},
        },
    }
