"""Each message is sent to each endpoint that wants it: at least once, under one id, by its own schedule."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core import mail
from standardwebhooks.webhooks import Webhook

from integration.domain import clock
from integration.history.personal_data import PersonalData
from integration.messaging import erasure
from integration.messaging.models import Delivery, Message
from integration.webhooks import claim as claim_module
from integration.webhooks.checks import endpoints_want_events_that_exist
from integration.webhooks.claim import claim
from integration.webhooks.endpoints import change, rotate_secret, send_test
from integration.webhooks.erasure import forget_attempts
from integration.webhooks.fan_out import fan_out
from integration.webhooks.models import DeliveryStatus, EndpointAttempt, EndpointDelivery, WebhookEndpoint
from integration.webhooks.notices import notify_owners
from integration.webhooks.outcomes import record
from integration.webhooks.replay import replay
from integration.webhooks.retention import forget_old
from integration.webhooks.retry_schedule import ATTEMPTS, LASTS, WAITS
from integration.webhooks.sending import send_due
from tests.integration.webhooks.conftest import OK, Receivers, example, failed, url

Endpoint = Callable[..., WebhookEndpoint]
Publish = Callable[..., None]
LOW, LIFTED, SHIPPING, ERASED = (
    "inventory.stock-ran-low",
    "ordering.hold-lifted",
    "ordering.shipping-requested",
    "ordering.buyer-erased",
)


def test_an_endpoint_gets_what_is_published_from_its_registration_on(
    endpoint: Endpoint, publish_all: Publish, receivers: Receivers
) -> None:
    publish_all(example(LOW))
    assert send_due(receivers) == 0
    endpoint("first")
    publish_all(example(LIFTED))
    endpoint("second")
    assert send_due(receivers) == 1
    publish_all(example(LOW))
    assert send_due(receivers) == 2
    assert [body["type"] for body in receivers.got(url("first"))] == [LIFTED, LOW]
    assert [body["type"] for body in receivers.got(url("second"))] == [LOW]


def test_an_endpoint_gets_what_it_wants_signed(endpoint: Endpoint, publish_all: Publish, receivers: Receivers) -> None:
    endpoint("all"), endpoint("low", events=[LOW])
    off = endpoint("off")
    change(off.pk, {"status": "disabled"})
    publish_all(example(LOW), example(LIFTED))

    assert send_due(receivers) == 3
    assert [body["type"] for body in receivers.got(url("all"))] == [LOW, LIFTED]
    assert [body["type"] for body in receivers.got(url("low"))] == [LOW]
    for post in receivers.posts:
        signed_by = WebhookEndpoint.objects.get(url=post.url).secrets(clock.now())
        body = Webhook(signed_by[0]).verify(post.body.decode(), dict(post.headers))
        assert (body["specversion"], body["id"]) == ("1.0", post.headers["webhook-id"])
        assert post.headers["Content-Type"] == "application/cloudevents+json"
    attempts = EndpointAttempt.objects.values_list("status", "milliseconds", "response", "error", "number")
    assert {*attempts} == {(200, 5, "thanks", "", 1)}
    assert send_due(receivers) == 0


def test_a_rotated_secret_signs_along_for_a_day(
    endpoint: Endpoint, publish_all: Publish, receivers: Receivers, later: Callable[[timedelta], None]
) -> None:
    hook = endpoint()
    (old,) = hook.secrets(clock.now())
    rotate_secret(hook.pk)
    publish_all(example(LOW))
    send_due(receivers)
    later(timedelta(hours=23))
    rotate_secret(hook.pk)
    publish_all(example(LOW))
    send_due(receivers)
    later(timedelta(hours=1, minutes=1))
    publish_all(example(LOW))
    send_due(receivers)

    signatures = [post.headers["webhook-signature"].split() for post in receivers.posts]
    assert [len(some) for some in signatures] == [2, 3, 2]
    hook.refresh_from_db()
    assert old not in hook.secrets(clock.now())
    Webhook(old).verify(receivers.posts[0].body.decode(), dict(receivers.posts[0].headers))


def test_a_failed_request_is_repeated_by_schedule(
    endpoint: Endpoint, publish_all: Publish, receivers: Receivers, later: Callable[[timedelta], None]
) -> None:
    """Three failures, then a success; and ten failures over more than 75 hours, while the neighbor gets everything."""
    endpoint("three"), endpoint("never"), endpoint("well")
    responses = iter([failed(500), failed(None), failed(307)])
    receivers.responses = {url("three"): lambda post: next(responses, OK), url("never"): failed(404)}
    publish_all(example(LOW))
    began = clock.now()
    send_due(receivers)
    times = []
    for wait in WAITS:
        later(wait - timedelta(seconds=2))
        assert send_due(receivers) == 0
        later(wait * 0.1 + timedelta(seconds=3))
        send_due(receivers)
        times.append(clock.now() - began)

    counts = {name: len(receivers.got(url(name))) for name in ("three", "never", "well")}
    assert counts == {"three": 4, "never": ATTEMPTS, "well": 1}
    assert len({post.headers["webhook-id"] for post in receivers.posts}) == 1
    assert len({post.headers["webhook-timestamp"] for post in receivers.posts}) == ATTEMPTS
    assert times[-1] >= LASTS >= timedelta(hours=75)
    statuses = dict(EndpointDelivery.objects.values_list("endpoint__url", "status"))
    assert statuses == {url("three"): "done", url("never"): "dead", url("well"): "done"}
    never = WebhookEndpoint.objects.get(url=url("never"))
    assert (never.status, never.disabled_because) == ("disabled", "It has only failed for 76 hours.")


def test_retry_after_is_obeyed_by_all_requests(
    endpoint: Endpoint, publish_all: Publish, receivers: Receivers, later: Callable[[timedelta], None]
) -> None:
    endpoint()
    responses = iter([failed(429, after=600)])
    receivers.responses[url("a")] = lambda post: next(responses, OK)
    publish_all(example(LOW))
    send_due(receivers)
    publish_all(example(LIFTED))
    later(timedelta(seconds=595))
    assert send_due(receivers) == 0
    later(timedelta(seconds=6))
    assert send_due(receivers) == 2


def test_gone_disables_and_the_owner_is_notified(
    endpoint: Endpoint, publish_all: Publish, receivers: Receivers, django_user_model: Any
) -> None:
    owner = django_user_model.objects.create_user("owner", "owner@example.com", "x")
    hook = endpoint(owner=owner)
    receivers.responses[url("a")] = failed(410)
    publish_all(example(LOW))
    send_due(receivers)
    publish_all(example(LOW))
    for _ in range(2):
        notify_owners()
    assert send_due(receivers) == 0
    (letter,) = mail.outbox
    assert letter.to == ["owner@example.com"]
    assert "410 Gone" in letter.body

    receivers.responses.clear()
    change(hook.pk, {"status": "enabled"})
    with clock.moved(timedelta(minutes=1)):
        assert send_due(receivers) == 1, "what was pending is sent; what was published meanwhile is replayed"
    assert replay(hook.pk, clock.now() - timedelta(hours=1)) == 2
    assert send_due(receivers) == 2
    assert len({body["id"] for body in receivers.got(url("a"))}) == 2


def test_a_test_is_sent_once_and_counts_nowhere(
    endpoint: Endpoint, receivers: Receivers, later: Callable[[timedelta], None]
) -> None:
    hook = endpoint()
    change(hook.pk, {"status": "disabled"})
    receivers.responses[url("a")] = failed(500)
    send_test(hook.pk)
    assert send_due(receivers) == 1
    send_test(hook.pk)
    assert [row.is_test for row in claim(10)] == [True], "a process claims it and is killed"
    later(timedelta(minutes=1))
    assert send_due(receivers) == 0
    later(timedelta(days=4))
    assert send_due(receivers) == 0
    assert receivers.got(url("a"))[0]["type"] == "integration.endpoint-tested"
    hook.refresh_from_db()
    assert hook.failures == 0
    assert {*EndpointDelivery.objects.values_list("status", flat=True)} == {"dead"}


def test_the_messages_of_an_order_are_sent_in_their_order(
    endpoint: Endpoint, publish_all: Publish, receivers: Receivers, later: Callable[[timedelta], None]
) -> None:
    endpoint("ordered", ordered=True, concurrency=3), endpoint("free", concurrency=1)
    responses = iter([failed(500)])
    receivers.responses[url("ordered")] = lambda post: next(responses, OK)
    events = [example(LIFTED, order=order, hold=f"{order}-{n}") for n in range(3) for order in ("R-1", "R-2")]
    publish_all(*events)
    send_due(receivers)
    later(timedelta(seconds=6))
    send_due(receivers)

    for name in ("ordered", "free"):
        for order in ("R-1", "R-2"):
            holds = [body["data"]["hold"] for body in receivers.got(url(name)) if body["data"]["order"] == order]
            assert [*dict.fromkeys(holds)] == [f"{order}-{n}" for n in range(3)]
    first = [body["data"]["hold"] for body in receivers.got(url("ordered"))][:5]
    assert first.count("R-1-0") + first.count("R-2-0") >= 2
    assert len(receivers.got(url("ordered"))) == 7


def test_a_row_that_was_lost_is_sent_again_and_only_once_counted(
    endpoint: Endpoint, publish_all: Publish, receivers: Receivers, later: Callable[[timedelta], None]
) -> None:
    endpoint()
    publish_all(example(LOW))
    fan_out()
    (lost,) = claim(10)
    assert claim(10) == []
    later(claim_module.lease() + timedelta(seconds=1))
    (again,) = claim(10)
    record([(again, OK)])
    record([(lost, failed(410))])

    row = EndpointDelivery.objects.get()
    assert (row.status, row.attempts) == (DeliveryStatus.DONE, 2)
    assert WebhookEndpoint.objects.get().is_enabled, "a result under an outdated claim changes nothing"
    assert EndpointAttempt.objects.count() == 2


def test_an_endpoint_has_a_few_requests_at_a_time_and_one_that_fails_has_one(
    endpoint: Endpoint, publish_all: Publish, later: Callable[[timedelta], None]
) -> None:
    endpoint("two", concurrency=2), endpoint("four"), endpoint("ill")
    WebhookEndpoint.objects.filter(url=url("ill")).update(failures=3)
    publish_all(*[example(LOW)] * 6)
    fan_out()
    claimed = claim(100)
    counts = {name: sum(row.endpoint.url == url(name) for row in claimed) for name in ("two", "four", "ill")}
    assert counts == {"two": 2, "four": 4, "ill": 1}
    assert claim(100) == []


def test_personal_data_only_where_it_was_granted(
    endpoint: Endpoint, publish_all: Publish, receivers: Receivers
) -> None:
    endpoint("plain", events=[SHIPPING]), endpoint("personal", events=[SHIPPING], personal_data=[SHIPPING])
    event = example(SHIPPING)
    recipient = event.recipient.recipient  # type: ignore[attr-defined]  # the contract that has one
    publish_all(event, example(ERASED))
    send_due(receivers)

    plain, personal = receivers.got(url("plain")), receivers.got(url("personal"))
    assert [body["type"] for body in plain] == [SHIPPING]
    assert [body["type"] for body in personal] == [SHIPPING, ERASED]
    assert recipient in json.dumps(personal[0])
    assert recipient not in json.dumps(plain[0])


def test_erasing_covers_payloads_and_the_log(
    endpoint: Endpoint, publish_all: Publish, receivers: Receivers, later: Callable[[timedelta], None]
) -> None:
    endpoint(events=[SHIPPING], personal_data=[SHIPPING])
    responses = iter([failed(500)._replace(excerpt="cannot store Ada Byron")])
    receivers.responses[url("a")] = lambda post: next(responses, OK)
    publish_all(example(SHIPPING))
    send_due(receivers)
    story = Message.objects.get().correlation_id
    PersonalData.objects.all().delete()
    forget_attempts([story])
    later(timedelta(seconds=6))
    send_due(receivers)

    assert "Ada Byron" in json.dumps(receivers.got(url("a"))[0])
    assert "Ada Byron" not in json.dumps(receivers.got(url("a"))[1]), "what was erased is not sent any more"
    assert [*EndpointAttempt.objects.order_by("id").values_list("response", flat=True)] == [erasure.ERASED, "thanks"]


def test_attempts_are_logged_for_a_while(
    endpoint: Endpoint, publish_all: Publish, receivers: Receivers, later: Callable[[timedelta], None]
) -> None:
    endpoint()
    publish_all(example(LOW))
    send_due(receivers)
    later(timedelta(days=29))
    forget_old()
    assert EndpointAttempt.objects.exists()
    later(timedelta(days=2))
    forget_old()
    assert not EndpointAttempt.objects.exists()
    assert EndpointDelivery.objects.exists(), "as long as its message is not archived"
    Delivery.objects.all().delete()
    Message.objects.all().delete()
    forget_old()
    assert not EndpointDelivery.objects.exists()


def test_an_endpoint_that_waits_in_vain_is_named(endpoint: Endpoint) -> None:
    hook = endpoint(events=[LOW])
    assert endpoints_want_events_that_exist(None, ["default"]) == []
    WebhookEndpoint.objects.update(events=[LOW, "inventory.stock-flew-away"])
    (warning,) = endpoints_want_events_that_exist(None, ["default"])
    assert warning.id == "waybill.W030"
    assert warning.msg == f"the webhook endpoint {hook.pk} wants inventory.stock-flew-away, which is no event"


def test_an_unknown_contract_is_sent_as_it_is_stored(
    endpoint: Endpoint, publish_all: Publish, receivers: Receivers
) -> None:
    endpoint()
    publish_all(example(LOW))
    Message.objects.update(name="inventory.not-known-here")
    assert send_due(receivers) == 1
    (body,) = receivers.got(url("a"))
    assert (body["type"], body["data"]) == ("inventory.not-known-here", Message.objects.get().data)


def test_sharing_out_takes_a_fixed_number_of_statements(
    endpoint: Endpoint, publish_all: Publish, statements: Callable[..., Any]
) -> None:
    endpoint("a"), endpoint("b")
    counts, many = [], 40
    for n in (1, many):
        publish_all(*[example(LOW)] * n)
        with statements() as seen:
            fan_out()
        counts.append(len(seen))
    # On PostgreSQL, a number that a rolled-back transaction of another test took is a gap, which is looked into once.
    assert counts[1] <= counts[0]
    assert EndpointDelivery.objects.count() == 2 * (1 + many)
