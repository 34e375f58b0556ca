"""How an attempt at a delivery ended is counted and logged."""

import logging
from collections.abc import Sequence

from integration.contracts.contract import IntegrationEvent
from integration.logs import access_log, log_delivery, story_fields
from integration.measuring import DIED, DONE, FAILED, count_done
from integration.messaging.models import Delivery, Status

log = logging.getLogger(__name__)


def note_done(consumer: str, handled: Sequence[tuple[Delivery, IntegrationEvent]], seconds: float) -> None:
    """Count and log deliveries that were handled together and whose effects are committed.

    Args:
        consumer: the consumer's wire name.
        handled: the deliveries with their events.
        seconds: the time that all of them took.
    """
    count_done(consumer, len(handled), seconds)
    if handled and access_log.isEnabledFor(logging.INFO):
        each = seconds / len(handled)
        for delivery, event in handled:
            log_delivery(consumer, delivery.attempts, DONE, each, event, delivery.message.cause)


def log_failure(delivery: Delivery, text: str, *values: object) -> None:
    """Log a failed attempt with the fields of an access line.

    Args:
        delivery: the delivery, with its message, in the state that it gets.
        text, values: the message of the line, in the form of Python's logging.
    """
    message, died = delivery.message, delivery.status == Status.DEAD
    fields = {"consumer": delivery.consumer, "attempt": delivery.attempts, "outcome": DIED if died else FAILED}
    # The data of a message that cannot be read may be anything.
    order = message.data.get("order") if isinstance(message.data, dict) else None
    level = logging.ERROR if died else logging.WARNING
    about = {"order": order} if isinstance(order, str) else {}
    log.log(level, text, *values, extra={**fields, **about, **story_fields(message.cause)})
