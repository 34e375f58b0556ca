"""What lies in the broker tells which lane to look into, and nothing of anybody's name, address or card."""

import json
from base64 import b64decode
from collections.abc import Callable

import pytest
import redis
from django.conf import settings
from house import ADDRESS, House

pytestmark = pytest.mark.system
MARKER = "Ottoline-Marker"


@pytest.mark.skipif(settings.EMBEDDED, reason="embedded, the broker is the memory of the one process")
def test_no_wake_up_names_a_recipient(house_to_break: Callable[..., House]) -> None:
    house = house_to_break()
    for worker in ("worker", "beat"):
        house.kill(worker)
    wanted = {
        "lines": [{"sku": "MUG-ENAMEL-CREAM", "quantity": 1}],
        "shipping_address": {**ADDRESS, "recipient": MARKER, "street": MARKER},
        "payment_method": "pm_card_visa",
    }
    answer = house.visitor.log_in("buyer", "buyer").post("/orders", wanted)
    assert answer.body["shipping_address"]["recipient"] == MARKER

    with redis.Redis.from_url(house.environment["CELERY_BROKER_URL"]) as broker:
        queues = [
            key for key in broker.scan_iter(f"*{house.environment['QUEUE_PREFIX']}*") if broker.type(key) == b"list"
        ]
        waiting = [json.loads(each) for key in queues for each in broker.lrange(key, 0, -1)]
    told = [b64decode(message.pop("body")).decode() + json.dumps(message) for message in waiting]
    assert any('["inventory", false]' in each for each in told), "nobody rang; nothing is shown"
    assert [each for each in told if MARKER in each] == []
