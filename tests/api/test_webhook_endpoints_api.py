"""Webhook endpoints over REST: the secret once, personal data by permission, bad input named."""

from collections.abc import Callable
from typing import Any

from api_calls import problem_of
from django.contrib.auth.models import Permission

from integration.domain import clock
from integration.webhooks.models import EndpointDelivery, WebhookEndpoint
from integration.webhooks.sending import send_due
from tests.integration.webhooks.conftest import Receivers, example

PATH = "/api/v1/webhook-endpoints"
BODY = {"url": "https://erp.example/hook", "events": ["inventory.stock-ran-low"]}


def test_the_secret_is_shown_once_and_again_to_a_repeated_request(operator: Any) -> None:
    key = {"Idempotency-Key": "one"}
    first = operator.post(PATH, BODY, headers=key)
    again = operator.post(PATH, BODY, headers=key)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "no-store"
    hook = first.json()
    assert hook["secret"].startswith("whsec_")
    assert (hook["status"], hook["disabled_because"]) == ("enabled", None)
    shown = operator.get(f"{PATH}/{hook['id']}")
    assert "secret" not in shown.json()
    assert "secret" not in operator.get(PATH).json()["results"][0]
    rotated = operator.post(f"{PATH}/{hook['id']}/rotate-secret", {}).json()
    assert rotated["secret"] not in ("", hook["secret"])
    (endpoint,) = WebhookEndpoint.objects.all()
    assert endpoint.secrets(clock.now()) == [rotated["secret"], hook["secret"]]


def test_change_test_replay_and_log(operator: Any, publish_all: Callable[..., None]) -> None:
    hook = f"{PATH}/{operator.post(PATH, BODY).json()['id']}"
    publish_all(example("inventory.stock-ran-low"), example("ordering.hold-lifted"))
    receivers = Receivers()
    send_due(receivers)
    assert operator.post(f"{hook}/replay", {"since": "2020-01-01T00:00:00Z"}).json() == {"replayed": 1}
    tested = operator.post(f"{hook}/test", {})
    assert tested.status_code == 202
    send_due(receivers)

    log = operator.get(f"{hook}/attempts").json()["results"]
    assert [(each["type"], each["test"]) for each in log] == [
        ("integration.endpoint-tested", True),
        ("inventory.stock-ran-low", False),
        ("inventory.stock-ran-low", False),
    ]
    assert (log[0]["status"], log[0]["response"], log[0]["message"]) == (200, "thanks", tested.json()["id"])
    assert len(operator.get(f"{hook}/attempts?test=true").json()["results"]) == 1

    version = operator.get(hook).headers["ETag"]
    disabled = operator.patch(hook, {"status": "disabled"}, headers={"If-Match": version})
    assert disabled.json()["disabled_because"] == "Disabled by staff."
    assert operator.patch(hook, {"status": "enabled"}, headers={"If-Match": version}).status_code == 412
    assert operator.delete(hook).status_code == 204
    assert operator.get(hook).status_code == operator.delete(hook).status_code == 404
    assert not EndpointDelivery.objects.exists()


def test_personal_data_takes_a_permission(operator: Any) -> None:
    body = {**BODY, "personal_data": ["ordering.shipping-requested"]}
    permission = Permission.objects.get(codename="send_personal_data")
    for group in operator.user.groups.all():
        group.permissions.remove(permission)
    assert operator.post(PATH, body).status_code == 403
    operator.user.user_permissions.add(permission)
    created = operator.post(PATH, body)
    assert created.status_code == 201, created.content
    assert created.json()["personal_data"] == body["personal_data"]


def test_bad_input_is_named_and_changes_nothing(operator: Any) -> None:
    for changes, pointers in (
        ({"url": "http://erp.example/"}, ["#/url"]),
        ({"url": "https://10.0.0.1/"}, ["#/url"]),
        ({"url": "https://user:pw@erp.example/"}, ["#/url"]),
        ({"url": 5}, ["#/url"]),
        ({"events": []}, ["#/events"]),
        ({"events": "*"}, ["#/events"]),
        ({"events": ["*", "no.such-event"]}, ["#/events/1"]),
        ({"events": [5]}, ["#/events/0"]),
        ({"personal_data": ["inventory.stock-ran-low"]}, ["#/personal_data/0"]),
        ({"concurrency": 0}, ["#/concurrency"]),
        ({"status": "disabled"}, ["#/status"]),
        ({"secret": "x"}, ["#/secret"]),
    ):
        response = operator.post(PATH, {**BODY, **changes})
        assert response.status_code == 422, (changes, response.content)
        assert [error["pointer"] for error in problem_of(response)["errors"]] == pointers, changes
    assert not WebhookEndpoint.objects.exists()
    hook = f"{PATH}/{operator.post(PATH, BODY).json()['id']}"
    for path, body in ((f"{hook}/replay", {}), (f"{hook}/replay", {"since": "yesterday"}), (f"{hook}/test", {"a": 1})):
        assert operator.post(path, body).status_code == 422
    assert operator.patch(hook, {"events": ["no.such-event"]}).status_code == 422
    assert operator.get(f"{hook}/attempts?message=x").status_code == 422
