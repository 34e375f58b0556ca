"""The callbacks that the sandbox sends about what has changed there by itself: a transfer settles, a refund fails."""

import logging

from django.conf import settings

from billing.commands import note_call_back
from billing.gateways.sandbox.adapter import adapter as sandbox
from integration.domain.errors import NotFound, Refused

log = logging.getLogger(__name__)


def play_sandbox_provider(at_most: int) -> None:
    """Send the callbacks of the sandbox that are due, through the same checks as any callback.

    Args:
        at_most: how many to send. A callback that is refused is not sent again: reconciliation finds the difference.
    """
    if settings.PAYMENT_PROVIDER != "sandbox":
        return
    for key in sandbox.due_call_backs(at_most):
        try:
            note_call_back("sandbox", sandbox.read_call_back(*sandbox.call_back(key)))
        except (NotFound, Refused) as refusal:
            log.warning("a callback about %s was refused: %s", key, refusal)
        sandbox.note_played(key)
