"""Events stay compatible with their committed schemas: without a new version, only an optional field may be added."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from django.conf import settings as real_settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

from integration.contracts import registry
from integration.contracts.contract import IntegrationEvent, contract, contracts
from integration.domain import versions
from integration.domain.events import DomainEvent, domain_event, domain_events
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.money import Money
from integration.domain.naming import WireNames
from integration.domain.versions import Versioned, from_data, upcast

OURS = {"config", "integration", *real_settings.CONTEXTS}


class Line(msgspec.Struct, frozen=True):
    """So many of one sku."""

    sku: Sku
    quantity: int


class LineWithTextQuantity(msgspec.Struct, frozen=True):
    sku: Sku
    quantity: str


class LineWithNote(msgspec.Struct, frozen=True):
    sku: Sku
    quantity: int
    note: str = ""


BEFORE: dict[str, Any] = {"order": OrderNumber, "lines": tuple[Line, ...], "total": Money, "gift": (bool, False)}


@pytest.fixture(autouse=True)
def own_events(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> None:
    """Register only the events of a test, and use an empty project folder without schemas."""
    for names in (contracts, domain_events):
        monkeypatch.setattr(names, "_by_name", {})
    monkeypatch.setattr(versions, "_upcasters", {})
    for folder in ("integration/contracts", "ordering"):
        (tmp_path / folder).mkdir(parents=True)
    settings.BASE_DIR = tmp_path


Publish = Callable[..., type[Versioned]]


@pytest.fixture(params=["contract", "domain event"])
def publish(request: pytest.FixtureRequest) -> Publish:
    """A function that registers an event with these fields: `publish(order=OrderNumber, note=(str, ""))`."""
    kinds: dict[str, tuple[WireNames[Any], type[Versioned], Callable[..., Any], str]] = {
        "contract": (contracts, IntegrationEvent, contract, "ordering.order-boxed"),
        "domain event": (domain_events, DomainEvent, domain_event, "ordering.order_boxed"),
    }
    names, base, decorator, usual_name = kinds[request.param]

    def declare(*, name: str = usual_name, version: int = 1, description: str = "It was boxed.", **fields: Any) -> Any:
        names._by_name.clear()
        columns = [(field, *kind) if isinstance(kind, tuple) else (field, kind) for field, kind in fields.items()]
        event = msgspec.defstruct(
            "OrderBoxed", columns, bases=(base,), frozen=True, kw_only=True, namespace={"__doc__": description}
        )
        return decorator(name, version)(event)

    return declare


@pytest.fixture
def published(publish: Publish) -> Publish:
    """The same function, after version 1 of the event was registered and committed."""
    publish(**BEFORE)
    call_command("contracts", "write")
    return publish


def check() -> str:
    """Return what `contracts check` reports when it fails."""
    with pytest.raises(CommandError) as failure:
        call_command("contracts", "check")
    assert failure.value.returncode == 1
    return str(failure.value)


# --- Incompatible changes ---

ADVICE = "publish version 2 with an upcaster from 1, or restore it"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"total": None}, f"`total` was removed: {ADVICE}"),
        ({"order": int}, f"`order` changed from string to integer: {ADVICE}"),
        ({"lines": tuple[LineWithTextQuantity, ...]}, f"`lines[].quantity` changed from integer to string: {ADVICE}"),
        ({"lines": Line}, "`lines` changed from "),
        ({"total": str}, "`total` changed from "),
        ({"total": (Money | None, None)}, "`total` is optional now: "),
        ({"gift": bool}, f"`gift` is required now: {ADVICE}"),
        ({"gift": (bool, True)}, "`gift` changed from "),
        ({"box": str}, "`box` is new, and required: publish version 2 with an upcaster from 1, or give it a default"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_incompatible_change_is_refused_with_a_remedy(
    published: Publish, changed: dict[str, Any], sentence: str
) -> None:
    event = published(**{name: kind for name, kind in {**BEFORE, **changed}.items() if kind is not None})

    report = check()

    assert f"{event.wire_name}: {sentence}" in report
    assert "publish version 2 with an upcaster from 1" in report


def test_a_renamed_field_is_reported_as_removed_and_added(published: Publish) -> None:
    published(**{("amount" if name == "total" else name): kind for name, kind in BEFORE.items()})

    assert "`total` was removed" in (report := check())
    assert "`amount` is new, and required" in report


def test_a_renamed_event_is_reported_as_missing(published: Publish) -> None:
    old = published(**BEFORE).wire_name
    published(name=f"{old}d", **BEFORE)

    report = check()

    assert report.startswith(
        f"{old}: no event has this wire name any more, but stored events have it: register its class under this"
    )
    assert ("delete its schemas in integration/contracts/schemas" in report) == ("-" in old)
    assert ("the events in the history are permanent" in report) == ("_" in old)


def test_a_lower_version_than_the_committed_one_is_refused(published: Publish) -> None:
    second = published(version=2, **BEFORE)
    upcast(second, from_version=1)(dict)
    call_command("contracts", "write")
    published(version=1, **BEFORE)

    assert "version 2 was published, but the code has version 1: restore version 2, or publish version 3" in check()


def test_events_of_older_versions_must_be_readable(published: Publish) -> None:
    second = published(version=2, **BEFORE, box=str)
    no_upcaster = f"UnknownVersion: {second.wire_name} has no upcaster from version 1"
    assert f"events stored in version 1 cannot be read any more ({no_upcaster})" in check()

    @upcast(second, from_version=1)
    def wrong(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "box": data["carton"]}

    assert "cannot be read any more (KeyError: 'carton'): correct the upcasters from version 1 on" in check()


def test_nothing_is_written_if_a_change_is_incompatible(published: Publish, tmp_path: Path) -> None:
    published(order=OrderNumber)
    before = {path: path.read_text() for path in tmp_path.rglob("*.json")}

    with pytest.raises(CommandError, match="nothing was written"):
        call_command("contracts", "write")

    assert {path: path.read_text() for path in tmp_path.rglob("*.json")} == before


# --- Compatible changes ---


@pytest.mark.parametrize(
    ("changed", "news"),
    [
        ({"note": (str, "")}, "`note` is new, and optional"),
        ({"note": (str | None, None)}, "`note` is new, and optional"),
        ({"lines": tuple[LineWithNote, ...]}, "`lines[].note` is new, and optional"),
    ],
    ids=["text", "text or nothing", "within a line"],
)
def test_a_new_optional_field_is_allowed_and_written(
    published: Publish, changed: dict[str, Any], news: str, capsys: pytest.CaptureFixture[str]
) -> None:
    event = published(**{**BEFORE, **changed})

    call_command("contracts", "check")
    assert f"{event.wire_name}: {news}: run `manage.py contracts write`" in capsys.readouterr().out

    call_command("contracts", "write")
    assert registry.judge(event) == (event.wire_name, [], [])
    example = registry.committed(event)[1]["examples"][0]
    assert "note" not in json.dumps(example), "the committed example was changed"


def test_a_new_version_with_an_upcaster_is_allowed_and_the_old_schema_stays(published: Publish, tmp_path: Path) -> None:
    first = {path: path.read_text() for path in tmp_path.rglob("*.json")}
    second = published(version=2, order=OrderNumber, box=str)
    upcast(second, from_version=1)(lambda data: {"order": data["order"], "box": "the usual"})

    call_command("contracts", "check")
    call_command("contracts", "write")

    written = {path: path.read_text() for path in tmp_path.rglob("*.json")}
    assert written.items() > first.items()
    assert sorted(registry.committed(second)) == [1, 2]
    assert registry.judge(second) == (second.wire_name, [], [])


def test_the_docstring_of_an_event_may_change(published: Publish, capsys: pytest.CaptureFixture[str]) -> None:
    published(description="It was put into a box.", **BEFORE)

    call_command("contracts", "check")

    assert "its description changed: run `manage.py contracts write`" in capsys.readouterr().out


def test_a_field_may_be_marked_as_personal(published: Publish, capsys: pytest.CaptureFixture[str]) -> None:
    marked = Annotated[OrderNumber, msgspec.Meta(extra_json_schema={"x-personal": True})]
    event = published(**{**BEFORE, "order": marked})

    call_command("contracts", "check")
    assert "its description changed: run `manage.py contracts write`" in capsys.readouterr().out
    call_command("contracts", "write")
    assert registry.committed(event)[1]["properties"]["order"] == {"type": "string", "x-personal": True}


MARKED = Annotated[OrderNumber, msgspec.Meta(extra_json_schema={"x-personal": True})]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("optional", [False, True])
def test_a_field_that_loses_its_mark_as_personal_is_refused(publish: Publish, version: int, optional: bool) -> None:
    plain, marked = ((OrderNumber | None, None), (MARKED | None, None)) if optional else (OrderNumber, MARKED)
    marked = (Annotated[OrderNumber | None, MARKED.__metadata__[0]], None) if optional else marked
    publish(order=marked)
    call_command("contracts", "write")
    event = publish(version=version, order=plain)
    if version == 2:
        upcast(event, from_version=1)(lambda data: data)

    assert f"{event.wire_name}: `order` lost its mark as personal" in check()


def test_a_personal_field_may_be_left_out_of_a_new_version(publish: Publish) -> None:
    publish(order=OrderNumber, note=MARKED)
    call_command("contracts", "write")
    event = publish(version=2, order=OrderNumber)
    upcast(event, from_version=1)(lambda data: {"order": data["order"]})

    call_command("contracts", "check")


# --- The events of the project ---


@pytest.fixture
def all_events(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[type[Versioned]]:
    """All events of the project, with their committed schemas."""
    monkeypatch.undo()
    settings.BASE_DIR = Path(__file__).resolve().parents[3]
    return [event for event in registry.events() if event.__module__.partition(".")[0] in OURS]


def test_the_committed_schemas_are_up_to_date(all_events: list[type[Versioned]]) -> None:
    assert len(all_events) > 60
    assert [verdict for verdict in map(registry.judge, all_events) if verdict.wrong or verdict.news] == []


def test_no_event_is_made_without_the_names_of_its_fields(all_events: list[type[Versioned]]) -> None:
    for event in all_events:
        values = [None] * len(event.__struct_fields__)
        if values:
            with pytest.raises(TypeError):
                event(*values)


def test_an_event_that_can_be_made_by_position_is_refused(publish: Publish) -> None:
    publish(order=OrderNumber)
    for names, base, decorator in (
        (contracts, IntegrationEvent, contract),
        (domain_events, DomainEvent, domain_event),
    ):
        for options in ({}, {"kw_only": False}):
            names._by_name.clear()
            event = msgspec.defstruct("Boxed", [("order", str)], bases=(base,), frozen=True, **options)
            decorator("ordering.boxed")(event)
            assert "ordering.boxed: it can be made without the names of its fields" in check()
        names._by_name.clear()


def test_every_committed_example_can_be_read(all_events: list[type[Versioned]]) -> None:
    for event in all_events:
        for version, schema in registry.committed(event).items():
            assert schema["examples"]
            for example in schema["examples"]:
                assert isinstance(from_data(event, example, version), event)


def test_every_contract_has_a_docstring(all_events: list[type[Versioned]]) -> None:
    published = [event for event in all_events if issubclass(event, IntegrationEvent)]
    assert [event.wire_name for event in published if not event.__doc__] == []


def test_the_list_names_publisher_consumers_and_meaning(
    all_events: list[type[Versioned]], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("contracts", "list")

    row = next(line for line in capsys.readouterr().out.splitlines() if "inventory.stock-reserved" in line)
    cells = [cell.strip() for cell in row.split("│")[1:-1]]
    assert cells == [
        "inventory.stock-reserved",
        "1",
        "inventory",
        "ordering.await-payment",
        "All goods of the order are reserved.",
    ]


def test_the_files_that_were_written_are_listed(
    published: Publish, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = sorted(str(path) for path in tmp_path.rglob("*.json"))
    assert written
    for path in tmp_path.rglob("*.json"):
        path.unlink()

    call_command("contracts", "write")

    said = capsys.readouterr().out.splitlines()
    assert sorted(said[:-1]) == written
    assert said[-1] == f"{len(written)} files written."


def test_the_asyncapi_document_is_indented_json(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("contracts", "asyncapi")
    text = capsys.readouterr().out
    assert json.loads(text)["asyncapi"] == "3.0.0"
    assert text.splitlines()[1].startswith('  "')
