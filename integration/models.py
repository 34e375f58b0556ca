"""The tables of the way between contexts, and of what the contexts' APIs have in common."""

from integration.messaging.models import Delivery, Message
from integration.rest.models import IdempotencyKey

__all__ = ["Delivery", "IdempotencyKey", "Message"]
