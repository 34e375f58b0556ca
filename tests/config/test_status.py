"""`manage.py status` says what flows and what needs a person, and exits with 1 if something does."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from integration.messaging.consumer_states import pause
from integration.messaging.heartbeat import SWEEP, note_heartbeat
from integration.messaging.models import Delivery, Status
from integration.read_models.catch_up import catch_up_all


def _status(*options: str) -> tuple[str, int]:
    out, code = StringIO(), 0
    try:
        call_command("status", *options, stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return out.getvalue(), code


@pytest.mark.django_db
def test_status_names_what_needs_a_person(placed: Any, drain: Any, later: Any) -> None:
    note_heartbeat(SWEEP)
    placed()
    catch_up_all()
    shown, code = _status()
    assert (code, "All is well." in shown) == (0, True)
    assert "inventory." in shown, "what waits is listed"

    drain()
    pause("billing.collect-payment", "a reason", "user:1")
    dead = Delivery.objects.order_by("pk")[:1].values("pk")
    Delivery.objects.filter(pk__in=dead).update(status=Status.DEAD, done_at=None)
    later(timedelta(seconds=40))
    shown, code = _status("--json")
    found = json.loads(shown)
    assert code == 1
    assert found["orders"]["confirmed"] == 1
    assert [sentence.split(" ")[0] for sentence in found["complaints"]] == ["no", "consumer", "consumer"]
    assert any("is paused" in sentence for sentence in found["complaints"])
    assert any("has 1 dead letters" in sentence for sentence in found["complaints"])
