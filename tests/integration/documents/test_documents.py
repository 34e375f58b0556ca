"""The generated documents match the code, are readable, and are not stale."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from enum import Enum
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest
from django.conf import settings as real_settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.rebuild import aggregates
from integration.contracts.contract import contracts
from integration.documents import order_journey, state_diagram
from integration.documents.catalogue import all_contracts, type_name
from integration.documents.documents import documents, pictures
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from integration.domain.states import IGNORE, StateTable
from integration.messaging.consumers import consumers_of

ROOT = Path(__file__).resolve().parents[3]
SVG = "{http://www.w3.org/2000/svg}"
LIVES = [model for model in aggregates() if model.life]


def test_no_generated_document_is_stale() -> None:
    # A new process has only the events of the code, not those that tests register.
    command = [sys.executable, str(ROOT / "manage.py"), "document", "--check"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_stale_missing_and_obsolete_documents_are_reported_and_rewritten(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.BASE_DIR = tmp_path
    for context in ["integration/contracts", *settings.CONTEXTS]:
        (tmp_path / context).mkdir(parents=True)
        (tmp_path / context / "schemas").symlink_to(ROOT / context / "schemas")
    call_command("document")
    call_command("document", "--check")

    (tmp_path / "docs/events.md").write_text("# Events of yesterday")
    (tmp_path / "docs/pictures/context-map.svg").unlink()
    (tmp_path / "docs/pictures/states-of-parrot.svg").write_text("<svg/>")
    with pytest.raises(CommandError) as failure:
        call_command("document", "--check")
    assert str(failure.value) == (
        "stale: docs/events.md, docs/pictures/context-map.svg, docs/pictures/states-of-parrot.svg; "
        "run `manage.py document`"
    )

    call_command("document")
    call_command("document", "--check")
    assert not (tmp_path / "docs/pictures/states-of-parrot.svg").exists()


def test_the_same_code_gives_the_same_documents() -> None:
    assert documents() == documents()


# --- Pictures ---


class Box(NamedTuple):
    """The position of a text or of a state's box."""

    what: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def texts(picture: str) -> list[Box]:
    boxes = []
    for text in ET.fromstring(picture).iter(f"{SVG}text"):
        x, y, width = float(text.get("x", 0)), float(text.get("y", 0)), 6.5 * len(text.text or "")
        left = x - width / 2 if text.get("text-anchor") == "middle" else x
        boxes.append(Box(text.text or "", left, y - 9, left + width, y + 2))
    return boxes


@pytest.mark.parametrize("name", pictures())
def test_no_two_texts_of_a_picture_overlap_and_none_is_cut_off(name: str) -> None:
    picture = pictures()[name]
    boxes = texts(picture)
    assert len(boxes) > 3
    assert [(a.what, b.what) for a, b in combinations(boxes, 2) if a.overlaps(b)] == []
    width, height = (float(ET.fromstring(picture).get(side, 0)) for side in ("width", "height"))
    assert [box.what for box in boxes if box.left < 0 or box.right > width or box.bottom > height] == []


@pytest.mark.parametrize("model", LIVES, ids=lambda model: model.__name__)
def test_a_state_diagram_has_every_state_and_every_transition(model: type[Aggregate]) -> None:
    assert model.life
    picture = ET.fromstring(pictures()[f"states-of-{model.stream.replace('_', '-')}"])
    labels = [text.text for text in picture.iter(f"{SVG}text")]
    for state in model.life.states:
        assert labels.count(state.replace("_", " ")) >= 1
    transitions = [(source, target) for source, _, target in model.life.transitions()]
    moving = {(source, target) for source, target in transitions if source != target}
    initial = set(model.life.states) - {target for _, target in moving}
    arrows = [line for line in picture.iter(f"{SVG}polyline") if line.get("marker-end")]
    assert len(arrows) == len(moving) + len(initial)
    assert len(labels) == 1 + len(model.life.states) + len(transitions)
    # A final state has a second border; the remaining rectangle is the background.
    assert len(list(picture.iter(f"{SVG}rect"))) == 1 + len(model.life.states) + len(model.life.final_states())


def test_a_state_diagram_says_what_the_table_says() -> None:
    class Door(Enum):
        SHUT = "shut"
        OPEN = "open"

    table = StateTable(Door, {"be_opened": {"shut": "open", "open": IGNORE}, "slam": {"shut": IGNORE, "open": "shut"}})
    picture = state_diagram.draw("Door <1>", table)

    assert [box.what for box in texts(picture)] == ["Door <1>", "be opened", "slam", "shut", "open"]
    assert "Door &lt;1&gt;" in picture


def test_the_context_map_has_an_arrow_for_each_consuming_context() -> None:
    picture = ET.fromstring(pictures()["context-map"])
    arrows = [line for line in picture.iter(f"{SVG}polyline") if line.get("marker-end")]
    expected = {
        (name, consumer.context)
        for name, event in contracts.items()
        for consumer in consumers_of(event)
        if consumer.context != name.partition(".")[0]
    }
    assert len(arrows) == len(expected) > 10
    names = {text.text for text in picture.iter(f"{SVG}text")}
    assert names >= {name for name, _ in contracts.items()} | set(real_settings.CONTEXTS)


# --- The catalogue ---


def test_the_events_page_describes_every_contract() -> None:
    page = documents()["docs/events.md"]
    for entry in all_contracts():
        section = page.partition(f"### {entry.name}\n")[2].partition("\n### ")[0]
        assert entry.meaning in " ".join(section.split())
        assert f"Published by {entry.publisher}" in section
        for consumer in entry.consumers:
            assert f"`{consumer}`" in section
        for field in entry.fields:
            assert re.search(rf"\| `{field.name}` \| {re.escape(field.kind)}", section)
            assert f'"{field.name}": ' in section or field.optional


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Sku, "Sku"),
        (str | None, "string or null"),
        (tuple[Money, ...], "list of Money"),
        (dict[str, int], "map of string to integer"),
    ],
)
def test_a_type_has_a_name_for_people(kind: object, name: str) -> None:
    assert type_name(kind) == name


def test_all_staff_can_open_the_event_catalogue_in_the_admin(client: Client, admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:integration_events"))

    text = page.content.decode()
    for name, _ in contracts.items():
        assert f'id="{name}"' in text
    assert "billing.invoice_paid" in text
    assert text.count('role="img"') == 2 + len(LIVES)
    assert reverse("admin:integration_events") in admin_client.get(reverse("admin:index")).content.decode()
    assert client.get(reverse("admin:integration_events")).status_code == 302


def test_the_journey_shows_the_steps_in_order_and_all_their_consumers() -> None:
    picture = ET.fromstring(pictures()["order-journey"])
    lines = {text.text: int(text.get("y", "0")) for text in picture.iter(f"{SVG}text")}
    steps = [contracts.get(name) for name in order_journey.STEPS]

    heights = [lines[step.__name__] for step in steps]
    assert heights == sorted(heights)
    reactions = {consumer.handle.__name__.replace("_", " ") for step in steps for consumer in consumers_of(step)}
    assert reactions
    assert reactions <= lines.keys()
