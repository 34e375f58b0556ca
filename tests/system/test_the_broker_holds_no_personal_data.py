"""Messages in the broker name a delivery queue, and contain no name, address or card."""

import json
from base64 import b64decode
from collections.abc import Callable

import pytest
import redis
from django.conf import settings
from running_system import ADDRESS, System, eventually

pytestmark = pytest.mark.system
MARKER = "Ottoline-Marker"


@pytest.mark.skipif(settings.EMBEDDED, reason="in the embedded mode the broker is the memory of the one process")
def test_no_wake_up_names_a_recipient(system_to_break: Callable[..., System]) -> None:
    system = system_to_break()
    for worker in ("worker", "beat"):
        system.kill(worker)
    wanted = {
        "lines": [{"sku": "MUG-ENAMEL-CREAM", "quantity": 1}],
        "shipping_address": {**ADDRESS, "recipient": MARKER, "street": MARKER},
        "payment_method": "pm_card_visa",
    }
    buyer = system.visitor.log_in("buyer", "buyer")
    with redis.Redis.from_url(system.environment["CELERY_BROKER_URL"]) as broker:

        def place_and_list_queued_messages() -> list[str]:
            response = buyer.post("/orders", wanted)
            assert response.body["shipping_address"]["recipient"] == MARKER
            return _queued_messages(broker, system.environment["QUEUE_PREFIX"])

        # The key of a wake-up that was lost with the worker suppresses the next wake-ups until it expires.
        queued = eventually(
            place_and_list_queued_messages,
            lambda queued: any('["inventory", false]' in each for each in queued),
            "a wake-up for inventory",
        )
    assert [each for each in queued if MARKER in each] == []


def _queued_messages(broker: redis.Redis, prefix: str) -> list[str]:
    """Every message in the Celery queues with this prefix, with its decoded body."""
    queues = [key for key in broker.scan_iter(f"*{prefix}*") if broker.type(key) == b"list"]
    waiting = [json.loads(each) for key in queues for each in broker.lrange(key, 0, -1)]
    return [b64decode(message.pop("body")).decode() + json.dumps(message) for message in waiting]
