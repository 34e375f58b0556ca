"""One plain word for a concept: names of the code, file names and prose use none of the words on the list below.

The list is the project's vocabulary: what a reader would have to learn beside the field's own terms. Names that are
stored (wire names, columns, constraints) stay as they are; they are listed as exceptions, each where it stands.
"""

import io
import os
import re
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from django.apps import apps

from integration.aggregates.aggregate import Aggregate

ROOT = Path(__file__).resolve().parents[1]

INSTEAD = {
    r"houses?": "the system, Waybill",
    r"rooms?": "module",
    r"lanes?": "delivery queue",
    r"doorbells?|bells?|ring|rings|rang|rung|ringing": "wake-up, wake",
    r"answer|answers|answered|answering": "response, respond; reply; result",
    r"call(s|ed|ing)? for": "wake; require",
    r"tell|tells|told|telling": "publish, notify, show, say, record",
    r"hear|hears|heard|hearing": "consume, receive",
    r"outside": "external; without, after, beyond",
    r"in hand": "in flight, leased until",
    r"(give|gives|gave|given|giving) back": "release; refund; return",
    r"put(s|ting)? off": "reschedule",
    r"(take|takes|took|taken|taking) on": "catch up; accept",
    r"follow|follows|followed|following|freshen|freshens|freshened": "catch up; after, next; obey",
    r"beside|apart|recall|recalls|recalled|kept": "personal data store, load_personal; stored, separate, next to",
    r"discretion|discreet|discreetly": "redaction",
    r"patience|patient|patiently": "timeout",
    r"pace|paces|fitting": "adaptive batch size",
    r"whoever|whomever|whosoever|whose ever": "the person, process or caller that is meant",
    r"is to be had|are to be had|be it": "is available, exists",
}
"""What is said instead, by the words that are not used; in names the words are joined by underscores."""

BANNED = re.compile("|".join(rf"\b(?:{words})\b" for words in INSTEAD), re.IGNORECASE)

STORED = [
    # Wire names of consumers and routines, under which deliveries and beat's entries are stored.
    "ordering.tell-buyer-of-confirmation",
    "ordering.tell-buyer-of-cancellation",
    "ordering.tell-buyer-of-dispatch",
    "ordering.tell-buyer-of-refund",
    "billing.call-off-invoice",
    "integration.follow-read-models",
    # Columns, constraints and indexes.
    'db_column="outside"',
    'db_column="answered_at"',
    "outside = %(external)s",
    "outside = delivery_queue.external",
    "context, outside,",
    "what_left_the_house_has_a_carrier",
    "one_answer_a_key",
    "pending_by_lane_lost_first",
    # Names of the broker's keys, which old and new code share while both run.
    "'outside' if",
    '("outside", "in_hand")',
    # An argument of Django's test client.
    "follow=True",
    # Earlier names of command line options and settings.
    '"--patience"',
    '"--even-outside"',
    "`--patience`",
    "`--even-outside`",
    "outside=True",
    "NOT_YET_PATIENCE",
    "DOORBELL_TRANSPORT_OPTIONS",
    # The words of the model withdrawal form. Source: Directive 2011/83/EU, annex I, part B.
    "sale of the following goods",
    # Goods and streets of the demo shop.
    "HOUSE-BIRD-WREN",
    "Wren House",
    "larch house",
    "Mill Lane",
    "TENT-BELL-5",
    "Bell Tent",
]
"""Names that stay although they hold such a word."""

NOT_OURS_TO_CHANGE = {
    "tests/test_words.py": "the list itself",
    "tests/upgrades/life.py": "calls the code of an older commit by its names",
    "tests/upgrades/old_code.py": "runs the code of an older commit",
    "docs/proofs.md": "the output of real runs",
    "docs/performance.md": "the output of real runs",
    "docs/costs.json": "a record of names and numbers",
    "LICENSE": "the text of the licence",
}
SKIPPED_FOLDERS = {"migrations", "schemas", "__pycache__", "node_modules", "var", "staticfiles", ".git", ".venv"}
PROSE = {".md", ".html", ".toml", ".txt", ".yml", ".yaml", ".js", ".css", ".sql", ".example", ""}
PROSE_WITHOUT_SUFFIX = {"Makefile", "run", ".env.example", "LICENSE"}


class Offence(NamedTuple):
    """A word that is not used, and where it stands."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project that people read; without git, which a machine may lack."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        hidden = {name for name in folders if name.startswith(".") and name != ".ci"}
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS - hidden)
        for name in sorted(names):
            path = Path(folder, name)
            is_prose = path.suffix in PROSE and (path.suffix or name in PROSE_WITHOUT_SUFFIX)
            if (path.suffix == ".py" or is_prose) and str(path.relative_to(ROOT)) not in NOT_OURS_TO_CHANGE:
                found.append(path)
    return tuple(found)


def areas() -> list[str]:
    """The folders that are looked at one by one: two levels deep."""
    return sorted({"/".join(path.relative_to(ROOT).parts[:-1][:2]) or "." for path in files()})


def offences(path: Path) -> Iterator[Offence]:
    """The words of a file that are not used: in its name, its names, its strings and its comments."""
    name = str(path.relative_to(ROOT))
    yield from (Offence(name, 0, f"file name: {word}") for word in words_of_name(path.stem))
    text = path.read_text(encoding="utf-8")
    for stored in STORED:
        text = text.replace(stored, "·" * len(stored))
    if path.suffix != ".py":
        for number, line in enumerate(text.splitlines(), start=1):
            yield from (Offence(name, number, word[0]) for word in BANNED.finditer(line))
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield from (
                Offence(name, token.start[0], f"{token.string}: {word}") for word in words_of_name(token.string)
            )
        elif token.type in (tokenize.COMMENT, tokenize.STRING):
            prose = re.sub(r"\w+(?:\.\w+)+\(?|\w*_\w*", lambda found: " " * len(found[0]), token.string)
            for word in BANNED.finditer(prose):
                line = token.start[0] + token.string.count("\n", 0, word.start())
                yield Offence(name, line, word[0])


def words_of_name(name: str) -> list[str]:
    """The words that are not used in an identifier or a file's name."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return [found[0] for found in BANNED.finditer(" ".join(parts))]


@pytest.mark.parametrize("area", areas())
def test_names_and_prose_use_the_fields_own_words(area: str) -> None:
    inside = [path for path in files() if ("/".join(path.relative_to(ROOT).parts[:-1][:2]) or ".") == area]
    found = [str(offence) for path in inside for offence in offences(path)]
    assert found == [], f"{len(found)} words to replace:\n" + "\n".join(found[:200])


def test_an_aggregates_messages_are_verbs_of_the_business() -> None:
    aggregates = [model for model in apps.get_models() if issubclass(model, Aggregate)]
    messages = {message for model in aggregates if model.life for message in model.life.messages}
    methods = {name for model in aggregates for name in vars(model) if not name.startswith("_")}
    passive = re.compile(r"be_|get_|stay_|miss_")
    assert messages
    assert [name for name in sorted(messages | methods) if passive.match(name) and not name.startswith("get_")] == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("told_apart_by", ["told", "apart"]),
        ("TheHouse", ["House"]),
        ("LONGEST_LANE", ["LANE"]),
        ("in_hand", ["in hand"]),
        ("warehouse", []),
        ("classroom_plane", []),
        ("stored_separately", []),
    ],
)
def test_a_word_is_found_in_a_name_and_only_as_a_word(name: str, found: list[str]) -> None:
    assert words_of_name(name) == found


def test_a_word_is_found_in_prose_strings_names_and_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    module = tmp_path / "doorbell.py"
    module.write_text('"""Tells\nwhoever hears."""\nlane = "a room"  # kept\n')
    page = tmp_path / "page.md"
    page.write_text("Fine.\nThe house.\n")

    assert [(each.line, each.text) for each in offences(module)] == [
        (0, "file name: doorbell"),
        (1, "Tells"),
        (2, "whoever"),
        (2, "hears"),
        (3, "lane: lane"),
        (3, "room"),
        (3, "kept"),
    ]
    assert list(offences(page)) == [Offence("page.md", 2, "house")]


def test_every_exception_is_still_needed() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in files())
    assert [stored for stored in STORED if stored not in texts] == []
    assert [path for path in NOT_OURS_TO_CHANGE if not (ROOT / path).exists()] == []
