"""Stored names are committed with the schemas: one that vanishes is refused, and `formerly` renames it."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as real_settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from fulfillment.commands import dispatch_shipment
from fulfillment.models import Shipment
from integration.aggregates import past
from integration.documents.promised_names import committed_names, kinds, verdicts_on_names
from integration.domain import clock
from integration.domain.naming import UnknownName, WireNames
from integration.history.entries import history_of
from integration.messaging import tasks
from integration.messaging.consumers import consumers
from integration.messaging.models import ConsumerState, Delivery
from integration.messaging.renaming import rename_stored
from integration.messaging.routines import routines
from integration.policies import every, whenever
from integration.read_models.models import ReadModelBuild
from integration.read_models.registry import read_models
from ordering import events
from ordering.models import Order, OrderBoard
from ordering.queries import order_board

NAMES = "integration/contracts/schemas/names.json"


@pytest.fixture
def promise(settings: Settings, tmp_path: Path) -> Callable[..., None]:
    """A function that commits names of a kind besides those of today, in a project folder of the test."""
    committed = json.loads((Path(real_settings.BASE_DIR) / NAMES).read_text())
    settings.BASE_DIR = tmp_path
    for context in real_settings.CONTEXTS:
        (tmp_path / context).mkdir()

    def commit(kind: str, *names: str) -> None:
        path = tmp_path / NAMES
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**committed, kind: sorted([*committed[kind], *names])}))

    return commit


@pytest.fixture
def own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget after the test what it registers and renames."""
    for names in (consumers, routines, read_models):
        monkeypatch.setattr(names, "_by_name", dict(names._by_name))
        monkeypatch.setattr(names, "_renamed", dict(names._renamed))


GONE = {
    "consumer": ("billing.praise-buyer", "deliveries"),
    "read model": ("ordering.orders-per-day", "builds"),
    "routine": ("ordering.remind", "tasks"),
    "stream": ("ordering.coupon", "events"),
}


def test_every_stored_name_of_the_project_is_committed() -> None:
    assert list(verdicts_on_names()) == []
    assert {kind.title for kind in kinds()} == set(committed_names()) == set(GONE)
    assert all(kind.names for kind in kinds())


@pytest.mark.parametrize("kind", GONE)
def test_a_name_that_vanished_is_refused_and_nothing_is_written(
    promise: Callable[..., None], kind: str, tmp_path: Path
) -> None:
    name, stored = GONE[kind]
    promise(kind, name)
    before = (tmp_path / NAMES).read_text()

    for verb in "check", "write":
        with pytest.raises(CommandError):
            call_command("contracts", verb)
    (verdict,) = verdicts_on_names()
    assert verdict.name == name
    assert verdict.wrong[0].startswith(f"no {kind} has this wire name any more, but {stored} are stored under it")
    assert f"`formerly` of the {kind}" in verdict.wrong[0]
    assert (tmp_path / NAMES).read_text() == before


def rename(kind: str, former: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "stream":
        monkeypatch.setattr(Order, "formerly", (former.partition(".")[2],))
    elif kind == "consumer":
        consumers.add("billing.issue-invoice", consumers.get("billing.issue-invoice"), [former])
    elif kind == "routine":
        routines.add("ordering.new", routines.get(routines.items()[0][0]), [former])
    else:
        read_models.add("ordering.order-board", read_models.get("ordering.order-board"), [former])


@pytest.mark.parametrize("kind", GONE)
def test_a_renamed_name_is_accepted_and_stays_committed(
    promise: Callable[..., None], own_names: None, monkeypatch: pytest.MonkeyPatch, kind: str, tmp_path: Path
) -> None:
    name, _ = GONE[kind]
    promise(kind, name)
    rename(kind, name, monkeypatch)

    assert [verdict for verdict in verdicts_on_names() if verdict.wrong] == []
    call_command("contracts", "write")
    assert name in json.loads((tmp_path / NAMES).read_text())[kind]


def test_a_new_name_is_news_until_it_is_written(
    promise: Callable[..., None], own_names: None, capsys: pytest.CaptureFixture[str]
) -> None:
    promise("routine")
    every(timedelta(minutes=1), name="ordering.remind")(lambda: None)
    call_command("contracts", "check")
    assert "ordering.remind: the routine is new: run `manage.py contracts write`" in capsys.readouterr().out
    call_command("contracts", "write")
    assert list(verdicts_on_names()) == []


def test_a_former_name_belongs_to_one_entry() -> None:
    names: WireNames[object] = WireNames("thing")
    one, other = object(), object()
    names.add("a.one", one, ["a.uno", "a.ein"])

    assert names.get("a.uno") is names.get("a.ein") is names.get("a.one") is one
    assert "a.uno" in names
    assert names.items() == [("a.one", one)]
    for wrong in (
        lambda: names.add("a.uno", other),
        lambda: names.add("a.two", other, ["a.uno"]),
        lambda: names.add("a.three", other, ["a.one"]),
    ):
        with pytest.raises(ValueError, match=r"a\.(uno|one)"):
            wrong()
    with pytest.raises(UnknownName):
        names.get("a.dos")


def test_a_reaction_to_a_domain_event_has_no_former_name() -> None:
    with pytest.raises(TypeError):
        whenever(events.OrderPlaced, formerly=["ordering.old"])(lambda event: None)


# --- What is stored goes on ---


@pytest.mark.parametrize("migrated", [True, False], ids=["after migrate", "stored by older code since"])
def test_deliveries_of_a_renamed_consumer_are_handled(
    own_names: None, placed: Callable[..., Any], drain: Callable[..., int], migrated: bool
) -> None:
    number = placed()
    Delivery.objects.filter(consumer="billing.issue-invoice").update(consumer="billing.send-bill")
    consumers.add("billing.issue-invoice", consumers.get("billing.issue-invoice"), ["billing.send-bill"])
    if migrated:
        rename_stored()
        assert not Delivery.objects.filter(consumer="billing.send-bill").exists()
    drain()

    assert Order.objects.get(pk=number).status == "confirmed"
    assert not Delivery.objects.exclude(status="done").exists()


def test_a_renamed_consumer_stays_paused_and_gets_no_message_twice(
    own_names: None, placed: Callable[..., Any], drain: Callable[..., int]
) -> None:
    placed()
    drain()
    delivery = Delivery.objects.get(consumer="billing.issue-invoice")
    Delivery.objects.create(
        message=delivery.message,
        consumer="billing.send-bill",
        context="billing",
        external=False,
        status="done",
        due_at=delivery.due_at,
        done_at=delivery.done_at,
    )
    ConsumerState.objects.filter(pk="billing.issue-invoice").delete()
    ConsumerState.objects.create(pk="billing.send-bill", paused_at=clock.now(), paused_by="user:1", reason="x")
    consumers.add("billing.issue-invoice", consumers.get("billing.issue-invoice"), ["billing.send-bill"])
    rename_stored()

    assert Delivery.objects.filter(message=delivery.message, consumer="billing.issue-invoice").count() == 1
    assert ConsumerState.objects.get(pk="billing.issue-invoice").is_paused


def test_a_renamed_routine_runs_under_its_former_name(own_names: None, db: None) -> None:
    ran = []
    every(timedelta(minutes=1), name="ordering.remind", formerly=["ordering.nudge"])(lambda: ran.append(1))
    tasks.run("ordering.nudge")
    assert ran == [1]


def test_a_renamed_read_model_is_read_until_it_is_built_anew(own_names: None, placed: Callable[..., Any]) -> None:
    number = placed()
    assert [row.number for row in order_board()] == [number]
    ReadModelBuild.objects.filter(read_model="ordering.order-board").update(
        read_model="ordering.board", code="of older code"
    )
    read_models.add("ordering.order-board", read_models.get("ordering.order-board"), ["ordering.board"])
    rename_stored()

    assert not ReadModelBuild.objects.filter(read_model="ordering.board").exists()
    assert [row.number for row in OrderBoard.objects.all()] == [number]


def test_a_renamed_stream_goes_on_and_its_history_stays_append_only(
    placed: Callable[..., Any], drain: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    placed()
    drain()
    history = history_of("fulfillment")
    before = history.objects.count()
    monkeypatch.setattr(Shipment, "stream", "parcel")
    monkeypatch.setattr(Shipment, "formerly", ("shipment",))
    rename_stored()

    assert history.objects.filter(stream="parcel").count() == before
    shipment = Shipment.objects.get()
    dispatch_shipment(shipment.pk, "Royal Mail", "RM1")
    assert past.at_version(Shipment, shipment.pk, 1).status == "arranged"
    assert history.objects.filter(stream="parcel").count() == before + 1
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE fulfillment_history SET stream = 'x'")
