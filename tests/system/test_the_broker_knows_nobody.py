"""What lies in the broker tells which lane to look into, and nothing of anybody's name, address or card."""

import json
from base64 import b64decode
from collections.abc import Callable

import pytest
import redis
from django.conf import settings
from running_system import ADDRESS, System, eventually

pytestmark = pytest.mark.system
MARKER = "Ottoline-Marker"


@pytest.mark.skipif(settings.EMBEDDED, reason="embedded, the broker is the memory of the one process")
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

        def place_and_see_what_waits() -> list[str]:
            answer = buyer.post("/orders", wanted)
            assert answer.body["shipping_address"]["recipient"] == MARKER
            return _what_waits(broker, system.environment["QUEUE_PREFIX"])

        # For a while nobody rings: a worker that was killed with a wake-up in its hands leaves the key that it had.
        told = eventually(
            place_and_see_what_waits,
            lambda told: any('["inventory", false]' in each for each in told),
            "a wake-up for what inventory does with an order",
        )
    assert [each for each in told if MARKER in each] == []


def _what_waits(broker: redis.Redis, prefix: str) -> list[str]:
    """Every message in the queues of that prefix, with what is encoded in it."""
    queues = [key for key in broker.scan_iter(f"*{prefix}*") if broker.type(key) == b"list"]
    waiting = [json.loads(each) for key in queues for each in broker.lrange(key, 0, -1)]
    return [b64decode(message.pop("body")).decode() + json.dumps(message) for message in waiting]
