"""A history is append-only, and a story is returned with each event after its cause."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.aggregates.direct_writes import bypassing_history
from integration.aggregates.rebuild import rows_are_their_histories
from integration.domain.identifiers import Sku, new_event_id
from integration.domain.naming import UnknownName
from integration.history.entries import HistoryIsAppendOnly
from integration.history.story import in_order, story
from inventory.commands import open_stock_item, receive_stock
from inventory.models import History, StockItem

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def opened(db: None) -> History:
    open_stock_item(Sku("MUG"))
    return History.objects.get()


def test_an_entry_cannot_be_changed(opened: History) -> None:
    opened.actor = "nobody"

    with pytest.raises(HistoryIsAppendOnly):
        opened.save()

    assert History.objects.get().actor == "system"


def test_an_entry_cannot_be_deleted(opened: History) -> None:
    with pytest.raises(HistoryIsAppendOnly):
        opened.delete()

    assert History.objects.exists()


def test_an_entry_knows_its_event_context_and_summary(opened: History) -> None:
    assert opened.event.sku == "MUG"  # type: ignore[attr-defined]
    assert (opened.context, opened.summary) == ("inventory", "Stock of MUG was opened")


def test_an_unknown_event_raises_unknown_name() -> None:
    with pytest.raises(UnknownName, match=r"inventory\.shelf_painted"):
        _ = History(name="inventory.shelf_painted", schema_version=1, data={}).event


def test_a_story_with_events_of_newer_code_can_be_read(opened: History) -> None:
    History(stream="shelf", stream_id="1", version=1, **_newer(opened, name="inventory.shelf_painted")).save(
        force_insert=True
    )
    History(stream="stock_item", stream_id="MUG", version=2, **_newer(opened, schema_version=2)).save(force_insert=True)

    assert [entry.summary for entry in story(opened.correlation_id)] == [
        "Stock of MUG was opened",
        "inventory.shelf_painted (no domain event is named 'inventory.shelf_painted')",
        "inventory.stock_item_opened (inventory.stock_item_opened is known up to version 1, and this is version 2)",
    ]


def test_verify_reports_an_aggregate_that_only_newer_code_can_rebuild(opened: History) -> None:
    with bypassing_history():
        StockItem.objects.update(version=2)
    History(stream="stock_item", stream_id="MUG", version=2, **_newer(opened, schema_version=2)).save(force_insert=True)

    assert rows_are_their_histories().offenders == [
        "stock of MUG: cannot be rebuilt by this code: "
        "inventory.stock_item_opened is known up to version 1, and this is version 2"
    ]


def _newer(entry: History, **changes: Any) -> dict[str, Any]:
    """Return the columns of a later event of the same story."""
    columns = ("name", "schema_version", "data", "occurred_at", "correlation_id", "actor")
    return {"id": new_event_id(), **{column: getattr(entry, column) for column in columns}, **changes}


def test_a_story_contains_no_events_of_other_stories(opened: History) -> None:
    receive_stock(Sku("MUG"), 3)

    assert [entry.name for entry in story(opened.correlation_id)] == ["inventory.stock_item_opened"]


# --- The order of a story ---


def _entry(stream: str, version: int, cause: UUID | None, moment: datetime) -> History:
    return History(
        id=new_event_id(), stream=stream, stream_id="1", version=version, causation_id=cause, occurred_at=moment
    )


@st.composite
def stories(draw: Any) -> list[History]:
    """A valid sequence of events of a few aggregates, shuffled; the clock that dates each event may be wrong."""
    entries: list[History] = []
    versions = dict.fromkeys("abc", 0)
    for _ in range(draw(st.integers(0, 25))):
        stream = draw(st.sampled_from("abc"))
        versions[stream] += 1
        cause = draw(st.sampled_from([None, new_event_id(), *[entry.id for entry in entries]]))
        entries.append(_entry(stream, versions[stream], cause, NOON + timedelta(seconds=draw(st.integers(-9, 9)))))
    return draw(st.permutations(entries))


@given(stories())
def test_a_story_is_complete_and_each_event_comes_after_its_cause(entries: list[History]) -> None:
    ordered = in_order(entries)

    assert sorted(entry.id for entry in ordered) == sorted(entry.id for entry in entries)
    position = {entry.id: i for i, entry in enumerate(ordered)}
    for entry in ordered:
        assert position.get(entry.causation_id, -1) < position[entry.id]
    for stream in "abc":
        versions = [entry.version for entry in ordered if entry.stream == stream]
        assert versions == sorted(versions)


@given(st.permutations(range(8)))
def test_independent_events_are_ordered_by_time(seconds: list[int]) -> None:
    entries = [_entry(f"{second}", 1, None, NOON + timedelta(seconds=second)) for second in seconds]

    assert [entry.stream for entry in in_order(entries)] == [f"{second}" for second in range(8)]


def test_an_empty_story_stays_empty() -> None:
    assert in_order([]) == []
