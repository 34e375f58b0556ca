"""All concrete models of the app `integration`, imported here so that Django finds them."""

from integration.aggregates.snapshots import Snapshot
from integration.history.personal_data import PersonalData
from integration.messaging.models import Delivery, FeedPosition, Message
from integration.read_models.models import ReadModelBuild
from integration.rest.models import IdempotencyKey, LoginCount, UsedToken

__all__ = [
    "Delivery",
    "FeedPosition",
    "IdempotencyKey",
    "LoginCount",
    "Message",
    "PersonalData",
    "ReadModelBuild",
    "Snapshot",
    "UsedToken",
]
