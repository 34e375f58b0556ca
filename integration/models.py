"""The tables of the way between contexts, of what the contexts' APIs have in common, and of what is read."""

from integration.aggregates.snapshots import Snapshot
from integration.history.personal_data import PersonalData
from integration.messaging.models import Delivery, Message
from integration.read_models.models import ReadModelBuild
from integration.rest.models import IdempotencyKey

__all__ = ["Delivery", "IdempotencyKey", "Message", "PersonalData", "ReadModelBuild", "Snapshot"]
