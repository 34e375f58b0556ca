"""What the generators write is whole: the walk of docs/extending.md leads to a context that passes every check."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tests.once import embedded_only

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent

pytestmark = embedded_only


class Copy:
    """A copy of the whole tree, in which commands are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("config", "docs", "integration", "tests", *settings.CONTEXTS):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("manage.py", "pyproject.toml", "Makefile"):
            shutil.copy(ROOT / name, folder)

    def run(self, *command: str, returns: int = 0) -> str:
        environment = {
            **os.environ,
            "CELERY_BROKER_URL": "memory://",
            "CELERY_WORKER_POOL": "threads",
            "DATABASE_URL": f"sqlite:///{self.folder / 'waybill.sqlite3'}",
            "WAYBILL_VAR": str(self.folder / "var"),
        }
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=280)
        assert done.returncode == returns, done.stdout + done.stderr
        return done.stdout + done.stderr

    def manage(self, *arguments: str, returns: int = 0) -> str:
        return self.run(sys.executable, "manage.py", *arguments, returns=returns)

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path / "running_system")


class Step(NamedTuple):
    """A step of the walkthrough: a command to run, or a file with its contents or with lines to add."""

    language: str
    text: str
    path: str = ""


def steps() -> list[Step]:
    """The steps of the walkthrough; a file is named by the last path before its block."""
    walkthrough = (ROOT / "docs" / "extending.md").read_text().partition("\n## A walkthrough: ")[2]
    found, path = [], ""
    for words, language, block in re.findall(r"(.*?)```(\w+)\n(.*?)```", walkthrough, re.DOTALL):
        if language == "console":
            found += [Step(language, line.removeprefix("$ ")) for line in block.splitlines()]
        else:
            path = [path, *re.findall(r"`(\w+/[\w/]+\.py)`", words)][-1]
            found.append(Step(language, block, path))
    return found


def patched(text: str, diff: str) -> str:
    """A text with the added lines of a diff below the line before them, which must be there once."""
    context, *added = diff.splitlines()
    line = context.removeprefix(" ") + "\n"
    assert text.count(line) == 1, line
    assert all(each.startswith("+") for each in added)
    return text.replace(line, line + "".join(f"{each.removeprefix('+')}\n" for each in added))


PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
CHECKS = [
    [sys.executable, "-m", "ruff", "check", "."],
    [sys.executable, "-m", "ruff", "format", "--check", "."],
    [str(TOOLS / "lint-imports"), "--no-logo", "--no-cache"],
    [sys.executable, "manage.py", "check", "--fail-level", "WARNING"],
    [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
    [sys.executable, "manage.py", "contracts", "check"],
    [sys.executable, "manage.py", "document", "--check"],
]
"""`make check` but for mypy, which takes as long as all others together, and whether the documents are current."""
STRUCTURE = ["tests/test_architecture.py", "tests/integration/domain/test_events.py"]


SCREENS = "every_route or members or every_page_loads"


def test_the_walkthrough_of_the_docs_leads_to_a_context_that_passes_every_check(copy: Copy) -> None:
    assert {step.language for step in steps()} == {"console", "python", "diff"}
    for language, text, path in steps():
        if language == "python":
            assert (copy.folder / path).parent.is_dir(), f"no step has made the folder of {path}"
            (copy.folder / path).write_text(text)
        elif language == "diff":
            (copy.folder / path).write_text(patched(copy.read(path), text))
        elif not text.startswith("make "):
            python, command, *arguments = shlex.split(text)
            assert (python, command) == (".venv/bin/python", "manage.py")
            copy.manage(*arguments)

    for command in CHECKS:
        assert "is new" not in copy.run(*command), command
    copy.manage("migrate", "--verbosity", "0")
    assert "events.history_is_append_only" in copy.manage("verify")
    assert "`loyalty.give-point`" in copy.read("docs/events.md")
    assert "loyalty" in copy.read("docs/pictures/context-map.svg")
    copy.run(*PYTEST, "tests/loyalty", *STRUCTURE)
    copy.run(*PYTEST, "tests/api/test_ownership.py", "tests/integration/test_admin.py", "-k", SCREENS)


def test_a_new_context_passes_every_check_and_may_only_consume(copy: Copy) -> None:
    copy.manage("startcontext", "loyalty", "--meaning", "Points for those who come again")

    for command in [*CHECKS, [sys.executable, "-m", "mypy", "loyalty", "integration/contracts"]]:
        copy.run(*command)
    copy.manage("startpolicy", "loyalty.give-point", "ordering.order-placed")
    for command in CHECKS:
        copy.run(*command)
    copy.run(*PYTEST, "tests/loyalty", *STRUCTURE, "tests/integration/documents")


ALL_TYPES = {
    "note": "PersonalText",
    "sent_to": "PersonalAddressIfAny",
    "gift": "str | None",
    "skus": "tuple[Sku, ...]",
    "pair": "tuple[int, str]",
    "prices": "dict[Sku, Money]",
    "channel": 'Literal["web", "app"]',
    "tier": "Tier",
    "colour": "Colour | None",
    "day": "date",
    "weight": "float",
    "token": "UUID",
    "waited": "timedelta",
    "tags": "set[str]",
    "lines": "tuple[Line, ...]",
    "first": "Line | None",
    "share": "Decimal",
}
OWN_TYPES = '''

class Tier(StrEnum):
    """How loyal somebody is."""

    GOLD = "gold"


class Colour(Enum):
    """A colour by its number."""

    RED = 1


class Line(msgspec.Struct, frozen=True):
    """A number of one sku."""

    sku: Sku
    colour: Colour
'''


@pytest.mark.parametrize("name", ["inventory.payer_praised", "billing.payer-praised"])
def test_an_event_may_have_fields_of_every_type(copy: Copy, name: str) -> None:
    module = "inventory/events.py" if "_" in name else "integration/contracts/billing.py"
    imports = "from enum import Enum, StrEnum\n\nimport msgspec\n\nfrom integration.domain.identifiers import Sku\n"
    docstring, _, code = copy.read(module).partition("\n\n")
    (copy.folder / module).write_text(f"{docstring}\n\n{imports}\n{code}{OWN_TYPES}")

    copy.manage("startevent", name, *(f"{field}:{kind}" for field, kind in ALL_TYPES.items()), "--meaning", "Praised")

    for command in CHECKS[3:]:
        copy.run(*command)
    copy.run(*CHECKS[0], "--ignore", "I001,F811")
    schemas = "inventory" if "_" in name else "integration/contracts"
    schema = json.loads(copy.read(f"{schemas}/schemas/{name}.v1.json"))
    assert schema["properties"].keys() == ALL_TYPES.keys() == schema["examples"][0].keys()
    assert copy.run(sys.executable, "-c", READ_THE_EXAMPLE.format(name=name)) == "gold RED\n"


READ_THE_EXAMPLE = """
import django, json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
from integration.contracts.examples import example_of
from integration.contracts.registry import events
from integration.domain.versions import from_data, to_data
event = next(event for event in events() if event.wire_name == "{name}")
read = from_data(event, json.loads(json.dumps(example_of(event))), 1)
assert from_data(event, json.loads(json.dumps(to_data(read))), 1) == read
print(read.tier, read.first.colour.name)
"""


def test_a_reaction_and_its_test_are_good_as_they_are_written(copy: Copy) -> None:
    copy.manage("startpolicy", "billing.praise-buyer", "ordering.order-confirmed")
    copy.manage("startpolicy", "billing.praise-payer", "billing.invoice_paid")

    assert 'name="billing.praise-buyer"' in copy.read("billing/policies/praise_buyer.py")
    assert "name=" not in copy.read("billing/policies/praise_payer.py")
    copy.run(sys.executable, "-m", "ruff", "check", "billing", "tests/billing")
    copy.manage("check", "--fail-level", "WARNING")
    tests = ["tests/billing/test_praise_buyer.py", "tests/billing/test_praise_payer.py"]
    assert "4 passed" in copy.run(*PYTEST, *tests)


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        ("startpolicy billing.praise fulfillment.shipment-delivered", "'billing.praise' is no name for a reaction"),
        ("startpolicy billing.praise_buyer ordering.order-placed", "words of the letters a to z with hyphens"),
        ("startpolicy billing.praise-buyer ordering.order-confirmd", ", such as ordering.order-confirmed; docs"),
        ("startpolicy billing.praise-buyer billing.invoice_payed", ", such as billing.invoice_paid; docs"),
        ("startpolicy billing.praise-buyer ordering.order_confirmed", ", such as ordering.order-confirmed"),
        ("startpolicy sales.praise-buyer ordering.order-placed", "the context being one of ordering, inventory"),
        (
            "startpolicy billing.issue-invoice ordering.order-placed",
            "a reaction named 'billing.issue-invoice' exists already",
        ),
        ("startpolicy billing.praise-buyer ordering.order-praised", "no event is named 'ordering.order-praised'"),
        ("startpolicy billing.praise-buyer ordering.order_placed", "billing can only react to the contracts of"),
        ("startevent sales.order_praised order:OrderNumber", "'sales' is none of the contexts"),
        ("startevent order_praised order:OrderNumber", "write context.what_happened"),
        ("startevent ordering.order2_praised order:OrderNumber", "words of the letters a to z"),
        ("startevent ordering.praised order:OrderNumber", "write ordering.what_happened for a domain event"),
        ("startevent ordering.order_placed order:OrderNumber", "an event named 'ordering.order_placed' exists already"),
        ("startevent ordering.order_praised", "an event needs a field"),
        ("startevent ordering.order_praised order", "write fields as name:Type"),
        ("startevent ordering.order_praised class:int", "write fields as name:Type"),
        ("startevent ordering.order_praised order:Order", "The types are Address, "),
        ("startevent ordering.order_praised order:tuple[Order,...]", "'Order' cannot be the type of a field"),
        ("startevent ordering.order_praised order:tuple[...,int]", "'...' cannot be the type of a field"),
        ("startevent ordering.order_praised order:tuple", "'tuple' cannot be the type of a field"),
        ("startevent ordering.order_praised order:dict[int,str]", "'dict[int, str]' cannot be the type of a field"),
        ("startevent ordering.order_praised order:set[dict[str,int]]", "'set[dict[str, int]]' cannot be"),
        ("startevent ordering.order_praised order:Literal[1.5]", "'Literal[1.5]' cannot be the type of a field"),
        ("startevent ordering.order_praised order:int|str", "'int | str' cannot be the type of a field"),
        ("startevent ordering.order_praised order:OrderPlaced", "'OrderPlaced' cannot be the type of a field"),
        ("startevent ordering.order_praised order:1+", "'1+' cannot be the type of a field"),
        ("startevent ordering.order_praised order:PersonalText|None", "PersonalText can only be the whole type"),
        ("startcontext ordering", "'ordering' is no name for a new context"),
        ("startcontext New-Sales", "'New-Sales' is no name for a new context"),
        ("startcontext json", "'json' is no name for a new context"),
        ("startcontext sandbox", "'sandbox' is no name for a new context"),
        ("startcontext lambda", "'lambda' is no name for a new context"),
    ],
)
def test_what_cannot_be_written_is_refused_with_a_sentence(
    command: str, refusal: str, tmp_path: Path, settings: Settings
) -> None:
    settings.BASE_DIR = tmp_path
    (tmp_path / "ordering").mkdir()
    meaning = [] if command.startswith("startpolicy") else ["--meaning", "Somebody praised it"]

    with pytest.raises(CommandError, match=re.escape(refusal)):
        call_command(*command.split(), *meaning)

    assert [path.name for path in tmp_path.rglob("*")] == ["ordering"]


@pytest.mark.parametrize("meaning", ["", ".", "a" * 91, 'They "praised" it', "a\\b", "a\nb"])
def test_a_meaning_that_a_docstring_cannot_hold_is_refused(meaning: str, tmp_path: Path, settings: Settings) -> None:
    settings.BASE_DIR = tmp_path

    with pytest.raises(CommandError, match="write one sentence"):
        call_command("startcontext", "loyalty", "--meaning", meaning)

    assert list(tmp_path.iterdir()) == []


# --- All or nothing ---

LISTS_OF_CONTEXTS = ["config/settings.py", "integration/contracts/__init__.py", "pyproject.toml"]


@pytest.fixture
def lists(tmp_path: Path, settings: Settings) -> Path:
    """A project of nothing but the files in which a new context is entered."""
    settings.BASE_DIR = tmp_path
    for name in LISTS_OF_CONTEXTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def contents(folder: Path) -> dict[str, str | None]:
    """Every path below a folder, other than ruff's cache, and what is in the files."""
    paths = [path for path in sorted(folder.rglob("*")) if ".ruff_cache" not in path.parts]
    return {str(path.relative_to(folder)): path.read_text() if path.is_file() else None for path in paths}


@pytest.mark.parametrize("unexpected", LISTS_OF_CONTEXTS)
def test_a_context_that_cannot_be_entered_everywhere_is_not_begun(lists: Path, unexpected: str) -> None:
    changed = lists / unexpected
    changed.write_text(changed.read_text().replace('"fulfillment"]', '"fulfillment",]').replace("\n__all__", "\nALL"))
    before = contents(lists)

    with pytest.raises(CommandError, match=f"^{re.escape(unexpected)} contains "):
        call_command("startcontext", "loyalty", "--meaning", "Points for those who come again")

    assert contents(lists) == before


def test_a_command_that_fails_leaves_the_files_as_they_were(lists: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (lists / "manage.py").write_text("raise SystemExit('no migrations today')")
    before = contents(lists)

    with pytest.raises(CommandError, match=r"`manage\.py makemigrations loyalty` failed"):
        call_command("startcontext", "loyalty", "--meaning", "Points for those who come again")

    assert "no migrations today" in capfd.readouterr().err
    assert contents(lists) == before


def test_an_event_is_not_begun_while_another_breaks_its_schema(lists: Path) -> None:
    (lists / "billing/schemas").mkdir(parents=True)
    (lists / "billing/events.py").write_text('"""Events."""\n')
    (lists / "billing/schemas/billing.invoice_lost.v1.json").write_text("{}")
    before = contents(lists)

    with pytest.raises(CommandError, match=r"mend first what `contracts check` reports:\nbilling\.invoice_lost: "):
        call_command("startevent", "billing.invoice_praised", "invoice:InvoiceNumber", "--meaning", "Praised")

    assert contents(lists) == before
