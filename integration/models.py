"""All concrete models of the app `integration`, imported here so that Django finds them."""

from integration.aggregates.snapshots import Snapshot
from integration.history.personal_data import PersonalData
from integration.messaging.failure_groups import FailureGroup
from integration.messaging.models import Delivery, FeedPosition, Message
from integration.messaging.replay_jobs import ReplayJob
from integration.read_models.models import ReadModelBuild
from integration.rest.models import IdempotencyKey, LoginCount, SavedView, UsedToken
from integration.webhooks.models import EndpointAttempt, EndpointDelivery, SharedOut, WebhookEndpoint

__all__ = [
    "Delivery",
    "EndpointAttempt",
    "EndpointDelivery",
    "FailureGroup",
    "FeedPosition",
    "IdempotencyKey",
    "LoginCount",
    "Message",
    "PersonalData",
    "ReadModelBuild",
    "ReplayJob",
    "SavedView",
    "SharedOut",
    "Snapshot",
    "UsedToken",
    "WebhookEndpoint",
]
