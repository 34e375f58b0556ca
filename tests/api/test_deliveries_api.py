"""The deliveries API: permissions, listing and filtering, replaying one or many deliveries, and skipping."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from knox.models import get_token_model
from rest_framework.test import APIClient

from integration.domain import clock
from integration.domain.identifiers import new_event_id
from integration.messaging.models import Delivery, Message, Status
from integration.messaging.wakeups import DeliveryQueue

pytestmark = pytest.mark.django_db

PATH = "/api/v1/deliveries"
VIEW, CHANGE = "view_delivery", "change_delivery"
FIELDS = {
    "id",
    "message",
    "consumer",
    "status",
    "attempts",
    "due_at",
    "done_at",
    "error",
    "skip_reason",
    "skipped_by",
    "skipped_at",
}
WITH = {
    Status.PENDING: {},
    Status.DONE: {"done_at": "now", "attempts": 1},
    Status.DEAD: {"attempts": 8, "error": "KeyError: 'shelf'", "traceback": "Traceback: it was there"},
    Status.SKIPPED: {"skip_reason": "no", "skipped_by": "user:1", "skipped_at": "now", "attempts": 8},
}


@pytest.fixture
def staff(db: None) -> Callable[..., APIClient]:
    """Creates a staff user with these permissions, and a client with their token."""

    def log_in(*permissions: str, is_staff: bool = True) -> APIClient:
        user = get_user_model().objects.create_user(f"user-{uuid4()}", is_staff=is_staff)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        return _client_of(user)

    return log_in


def _client_of(user: Any) -> APIClient:
    _, token = get_token_model().objects.create(user)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    client.user = user
    return client


@pytest.fixture
def delivery(db: None) -> Callable[..., Delivery]:
    """Creates a delivery in a status: `delivery("dead", "billing.charge")`."""

    def make(status: str = Status.DEAD, consumer: str = "inventory.reorder") -> Delivery:
        message = Message.objects.create(
            id=new_event_id(),
            name="inventory.stock-ran-out",
            version=1,
            data={"sku": "MUG", "wanted": 1},
            occurred_at=clock.now(),
            correlation_id=uuid4(),
            actor="system",
            addressed_to=1,
        )
        values = {name: clock.now() if value == "now" else value for name, value in WITH[Status(status)].items()}
        context = consumer.partition(".")[0]
        return Delivery.objects.create(
            message=message, consumer=consumer, context=context, status=status, due_at=clock.now(), **values
        )

    return make


def _ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


def _is_problem(response: Any, status: int, code: str = "") -> bool:
    problem = response.json()
    assert response["Content-Type"] == "application/problem+json"
    assert response.status_code == problem["status"] == status, response.content
    return not code or problem["type"] == f"urn:waybill:problem:{code}"


# --- Permissions ---


def test_deliveries_require_a_token(delivery: Callable[..., Delivery]) -> None:
    id = delivery().pk
    for path in ("", f"/{id}"):
        assert _is_problem(APIClient().get(PATH + path), 401)
    for path in ("/replay", f"/{id}/replay", f"/{id}/skip"):
        assert _is_problem(APIClient().post(PATH + path, {"reason": "why"}, format="json"), 401)


@pytest.mark.parametrize(("permissions", "is_staff"), [((), True), ((CHANGE,), True), ((VIEW, CHANGE), False)])
def test_viewing_deliveries_requires_staff_with_the_view_permission(
    staff: Callable[..., APIClient], delivery: Callable[..., Delivery], permissions: tuple[str, ...], is_staff: bool
) -> None:
    client = staff(*permissions, is_staff=is_staff)

    assert _is_problem(client.get(PATH), 403)
    assert _is_problem(client.get(f"{PATH}/{delivery().pk}"), 403)


@pytest.mark.parametrize(("permissions", "is_staff"), [((), True), ((VIEW,), True), ((VIEW, CHANGE), False)])
def test_replaying_and_skipping_require_staff_with_the_change_permission(
    staff: Callable[..., APIClient], delivery: Callable[..., Delivery], permissions: tuple[str, ...], is_staff: bool
) -> None:
    client, dead = staff(*permissions, is_staff=is_staff), delivery()

    for path, body in [("/replay", {}), (f"/{dead.pk}/replay", {}), (f"/{dead.pk}/skip", {"reason": "why"})]:
        assert _is_problem(client.post(PATH + path, body, format="json"), 403)
    dead.refresh_from_db()
    assert dead.status == Status.DEAD


# --- Listing and reading ---


def test_a_listed_delivery_has_these_fields(staff: Callable[..., APIClient], delivery: Callable[..., Delivery]) -> None:
    dead = delivery()

    (row,) = staff(VIEW).get(PATH).json()["results"]

    assert set(row) == FIELDS
    assert set(row["message"]) == {"id", "name", "version", "occurred_at", "correlation_id"}
    assert (row["id"], row["consumer"], row["status"], row["attempts"]) == (dead.pk, "inventory.reorder", "dead", 8)
    assert row["message"]["id"] == str(dead.message_id)
    assert row["message"]["correlation_id"] == str(dead.message.correlation_id)
    assert (row["error"], row["done_at"]) == ("KeyError: 'shelf'", None)


def test_a_single_delivery_includes_its_payload_and_traceback(
    staff: Callable[..., APIClient], delivery: Callable[..., Delivery]
) -> None:
    row = staff(VIEW).get(f"{PATH}/{delivery().pk}").json()

    assert set(row) == FIELDS | {"payload", "traceback"}
    assert row["payload"] == {"sku": "MUG", "wanted": 1}
    assert row["traceback"] == "Traceback: it was there"


def test_the_list_has_pages_with_the_newest_first(
    staff: Callable[..., APIClient], delivery: Callable[..., Delivery]
) -> None:
    ids = [delivery().pk for _ in range(5)]
    client = staff(VIEW)

    first = client.get(PATH, {"page_size": 2})
    second = client.get(first.json()["next"])
    third = client.get(second.json()["next"])

    assert _ids(first) + _ids(second) + _ids(third) == ids[::-1]
    assert third.json()["next"] is None
    assert _ids(client.get(third.json()["previous"])) == _ids(second)
    assert _ids(client.get(PATH, {"ordering": "id"})) == ids


@pytest.mark.parametrize("status", Status.values)
def test_the_list_can_be_filtered_by_status(
    staff: Callable[..., APIClient], delivery: Callable[..., Delivery], status: str
) -> None:
    ids = {each: delivery(each).pk for each in Status.values}

    assert _ids(staff(VIEW).get(PATH, {"status": status})) == [ids[status]]


def test_the_list_can_be_filtered_by_consumer(
    staff: Callable[..., APIClient], delivery: Callable[..., Delivery]
) -> None:
    delivery("dead")
    delivery("done", "billing.charge")
    charge = delivery("dead", "billing.charge").pk

    assert _ids(staff(VIEW).get(PATH, {"consumer": "billing.charge", "status": "dead"})) == [charge]
    assert _ids(staff(VIEW).get(PATH, {"consumer": "nobody"})) == []


@pytest.mark.parametrize("query", [{"status": "lost"}, {"consumer": "a\x00b"}, {"ordering": "due_at"}, {"cursor": "x"}])
def test_an_invalid_filter_is_an_error(staff: Callable[..., APIClient], query: dict[str, str]) -> None:
    assert _is_problem(staff(VIEW).get(PATH, query), 422, "invalid_input")


def test_the_number_of_statements_does_not_depend_on_the_length_of_the_list(
    staff: Callable[..., APIClient], delivery: Callable[..., Delivery], statements: Callable[[], Any]
) -> None:
    client, counts = staff(VIEW), []
    for number in (1, 20):
        for _ in range(number):
            delivery()
        with statements() as seen:
            client.get(PATH)
        counts.append(len([sql for sql in seen if "integration_" in sql]))

    assert counts == [1, 1]


@pytest.mark.parametrize("id", ["1", "0", "9" * 19, "9" * 40])
@pytest.mark.parametrize("verb", ["", "/replay", "/skip"])
def test_an_unknown_delivery_is_not_found(staff: Callable[..., APIClient], id: str, verb: str) -> None:
    client = staff(VIEW, CHANGE)
    path = f"{PATH}/{id}{verb}"

    response = (
        client.post(path, {"reason": "why"} if verb == "/skip" else {}, format="json") if verb else client.get(path)
    )

    assert _is_problem(response, 404, "no_such_delivery")


@pytest.mark.parametrize("id", ["-1", "x", "9" * 5_000])
def test_an_id_that_is_not_a_number_is_not_found(staff: Callable[..., APIClient], id: str) -> None:
    assert _is_problem(staff(VIEW).get(f"{PATH}/{id}"), 404)


# --- Replaying ---


@pytest.mark.parametrize("status", ["dead", "pending"])
def test_a_replayed_delivery_is_due_with_zero_attempts(
    staff: Callable[..., APIClient],
    delivery: Callable[..., Delivery],
    woken: list[DeliveryQueue],
    django_capture_on_commit_callbacks: Any,
    status: str,
) -> None:
    failed = delivery(status)

    with django_capture_on_commit_callbacks(execute=True):
        response = staff(CHANGE).post(f"{PATH}/{failed.pk}/replay")

    assert response.status_code == 202
    assert (response.json()["id"], response.json()["status"], response.json()["attempts"]) == (failed.pk, "pending", 0)
    failed.refresh_from_db()
    assert (failed.status, failed.attempts) == (Status.PENDING, 0)
    assert failed.due_at <= clock.now()
    assert woken == [DeliveryQueue("inventory", False)]


@pytest.mark.parametrize("status", ["done", "skipped"])
def test_a_settled_delivery_cannot_be_replayed(
    staff: Callable[..., APIClient], delivery: Callable[..., Delivery], status: str
) -> None:
    settled = delivery(status)

    response = staff(CHANGE).post(f"{PATH}/{settled.pk}/replay")

    assert _is_problem(response, 409, "already_settled")
    assert f"is {status}" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "replayed", "dead_left"),
    [
        ({}, 4, 0),
        ({"status": "dead"}, 2, 0),
        ({"status": "pending"}, 2, 2),
        ({"consumer": "billing.charge"}, 2, 1),
        ({"status": "dead", "consumer": "billing.charge"}, 1, 1),
        ({"consumer": "nobody"}, 0, 2),
        ({"status": "done"}, 0, 2),
        ({"status": "skipped"}, 0, 2),
    ],
)
def test_many_deliveries_are_replayed_by_status_and_consumer(
    staff: Callable[..., APIClient],
    delivery: Callable[..., Delivery],
    statements: Callable[[], Any],
    body: dict[str, str],
    replayed: int,
    dead_left: int,
) -> None:
    for consumer in ("inventory.reorder", "billing.charge"):
        for status in Status.values:
            delivery(status, consumer)
    client = staff(CHANGE)

    with statements() as seen:
        response = client.post(f"{PATH}/replay", body, format="json")

    assert (response.status_code, response.json()) == (202, {"replayed": replayed})
    assert len([sql for sql in seen if "integration_" in sql]) == (9 if replayed else 7)
    assert Delivery.objects.filter(status__in=["done", "skipped"]).count() == 4
    assert Delivery.objects.filter(status="dead").count() == dead_left


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"status": "lost"}, "#/status"), ({"state": "dead"}, "#/state"), ({"consumer": 1}, "#/consumer")],
)
def test_an_invalid_filter_replays_no_delivery(
    staff: Callable[..., APIClient], delivery: Callable[..., Delivery], body: dict[str, Any], pointer: str
) -> None:
    delivery()

    response = staff(CHANGE).post(f"{PATH}/replay", body, format="json")

    assert _is_problem(response, 422, "invalid_input")
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert Delivery.objects.get().status == Status.DEAD


def test_a_replay_is_idempotent(staff: Callable[..., APIClient], delivery: Callable[..., Delivery]) -> None:
    dead, client = delivery(), staff(CHANGE)
    one, many = f"{PATH}/{dead.pk}/replay", f"{PATH}/replay"

    for path, key in [(one, "k-1"), (many, "k-2")]:
        first = client.post(path, {}, format="json", headers={"Idempotency-Key": key})
        Delivery.objects.update(status=Status.DEAD, attempts=8)
        second = client.post(path, {}, format="json", headers={"Idempotency-Key": key})

        assert first.status_code == second.status_code == 202
        assert first.json() == second.json()
        assert second["Idempotent-Replayed"] == "true"
        assert Delivery.objects.get().status == Status.DEAD, "the repeated request must not replay again"


# --- Skipping ---


def test_a_skipped_delivery_records_the_user_and_the_reason(
    staff: Callable[..., APIClient], delivery: Callable[..., Delivery]
) -> None:
    dead, client = delivery(), staff(CHANGE)

    response = client.post(f"{PATH}/{dead.pk}/skip", {"reason": "sold by the lorry"}, format="json")

    assert response.status_code == 200
    skipped = response.json()
    assert (skipped["status"], skipped["skip_reason"], skipped["done_at"]) == ("skipped", "sold by the lorry", None)
    assert skipped["skipped_by"] == f"user:{client.user.pk}"
    dead.refresh_from_db()
    assert (dead.status, dead.skip_reason) == (Status.SKIPPED, "sold by the lorry")


@pytest.mark.parametrize(
    ("status", "code"), [("pending", "not_failed"), ("done", "already_settled"), ("skipped", "already_settled")]
)
def test_a_delivery_that_has_not_failed_cannot_be_skipped(
    staff: Callable[..., APIClient], delivery: Callable[..., Delivery], status: str, code: str
) -> None:
    response = staff(CHANGE).post(f"{PATH}/{delivery(status).pk}/skip", {"reason": "why not"}, format="json")

    assert _is_problem(response, 409, code)
    assert Delivery.objects.get().status == status


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "  "},
        {"reason": None},
        {"reason": 7},
        {"reason": "a\x00b"},
        {"reason": "x" * 2_001},
    ],
)
def test_skipping_requires_a_reason(
    staff: Callable[..., APIClient], delivery: Callable[..., Delivery], body: dict[str, Any]
) -> None:
    response = staff(CHANGE).post(f"{PATH}/{delivery().pk}/skip", body, format="json")

    assert _is_problem(response, 422, "invalid_input")
    assert [error["pointer"] for error in response.json()["errors"]] == ["#/reason"]
    assert Delivery.objects.get().status == Status.DEAD


def test_a_reason_may_be_in_any_script(staff: Callable[..., APIClient], delivery: Callable[..., Delivery]) -> None:
    path, client = f"{PATH}/{delivery().pk}/skip", staff(CHANGE)

    broken = client.post(path, b'{"reason": "\\ud800"}', content_type="application/json")
    assert _is_problem(broken, 422)
    whole = client.post(path, {"reason": "Zu spät 🙂"}, format="json")
    assert whole.json()["skip_reason"] == "Zu spät 🙂"


def test_a_skip_is_idempotent(staff: Callable[..., APIClient], delivery: Callable[..., Delivery]) -> None:
    path, client = f"{PATH}/{delivery().pk}/skip", staff(CHANGE)

    responses = [
        client.post(path, {"reason": "why not"}, format="json", headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]

    assert [response.status_code for response in responses] == [200, 200]
    assert responses[0].json() == responses[1].json()
    assert _is_problem(client.post(path, {"reason": "why not"}, format="json"), 409)
