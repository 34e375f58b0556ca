"""The error and the traceback of a failed attempt, as they are stored with its delivery."""

import traceback

from integration.domain.redaction import without_rows
from integration.messaging.models import Delivery


def set_error(delivery: Delivery, error: Exception) -> None:
    """Set the error and the traceback of a delivery; the caller saves it."""
    delivery.error = _storable(f"{type(error).__name__}: {error}")
    delivery.traceback = _storable("".join(traceback.format_exception(error)))


def _storable(text: str) -> str:
    """The text with row values redacted, and with NUL and lone surrogates escaped, which no database can store."""
    return without_rows(text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00"))
