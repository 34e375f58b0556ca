"""What a mail service reports about letters. Those that did not arrive become tasks.

Anymail checks the secret of a report and turns every service's own format into one signal. A letter carries its
identifier, its order and its kind as metadata, which the service returns with each report.
"""

import logging
from typing import Any

from integration.domain.errors import NotFound
from integration.domain.identifiers import OrderNumber
from integration.domain.metadata import new_story
from ordering import commands

log = logging.getLogger(__name__)

FAILURES = frozenset({"bounced", "complained", "failed", "rejected"})
"""The reports that say that a person must do something. All others, such as `delivered` and `opened`, are ignored."""
LONGEST_REASON = 40


def connect_reports() -> None:
    """Connect Anymail's signal. Call it if letters are sent by a mail service."""
    from anymail.signals import tracking

    tracking.connect(note_report, dispatch_uid="ordering.bounces")


def note_report(event: Any, esp_name: str, **_: Any) -> None:
    """Record a report about a letter if it says that the letter did not arrive.

    Args:
        event: Anymail's event, see https://anymail.dev/en/stable/sending/tracking/.
        esp_name: the name of the mail service.
    """
    about = event.metadata
    if event.event_type not in FAILURES or not {"letter", "order", "kind"} <= about.keys():
        return
    reason = str(event.reject_reason or event.event_type)[:LONGEST_REASON]
    with new_story(actor="mail service"):
        try:
            commands.note_bounce(about["letter"], OrderNumber(about["order"]), about["kind"], reason)
        except NotFound:
            log.warning("%s reports a letter about an order that does not exist here.", esp_name)
