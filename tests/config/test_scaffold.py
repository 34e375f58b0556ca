"""What the generators write is whole: the walk of docs/extending.md leads to a context that passes every check."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent

pytestmark = pytest.mark.skipif(
    not settings.EMBEDDED, reason="the copy runs embedded, whatever the suite runs on: once is enough, and there"
)


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


def steps() -> list[tuple[str, str]]:
    """The walk's steps: a command with its arguments, or the path of a file with what is to stand in it."""
    walk = (ROOT / "docs" / "extending.md").read_text().partition("\n## A walk: ")[2]
    found = []
    for words, language, block in re.findall(r"(.*?)```(\w+)\n(.*?)```", walk, re.DOTALL):
        if language == "console":
            found += [("", line.removeprefix("$ ")) for line in block.splitlines()]
        else:
            found.append((re.findall(r"`(\w+/[\w/]+\.py)`", words)[-1], block))
    return found


def test_the_walk_of_the_docs_leads_to_a_context_that_passes_every_check(copy: Copy) -> None:
    assert len(steps()) == 12
    for path, text in steps():
        if path:
            assert (copy.folder / path).parent.is_dir(), f"nothing has made the folder of {path}"
            (copy.folder / path).write_text(text)
        elif text != "make test":
            command, *arguments = shlex.split(text)
            assert command == "manage.py"
            copy.manage(*arguments)

    copy.run(sys.executable, "-m", "ruff", "check", ".")
    copy.run(sys.executable, "-m", "ruff", "format", "--check", ".")
    copy.run(str(TOOLS / "lint-imports"), "--no-logo", "--no-cache")
    copy.manage("check")
    copy.manage("makemigrations", "--check", "--dry-run")
    copy.manage("migrate", "--verbosity", "0")
    assert "events.history_is_append_only" in copy.manage("verify")
    assert "is new" not in copy.manage("contracts", "check")
    copy.manage("document", "--check")
    assert "`loyalty.give-point`" in copy.read("docs/events.md")
    assert "loyalty" in copy.read("docs/pictures/context-map.svg")
    pytest_them = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    copy.run(*pytest_them, "tests/loyalty", "tests/test_architecture.py", "tests/integration/domain/test_events.py")


def test_a_reaction_and_its_test_are_good_as_they_are_written(copy: Copy) -> None:
    copy.manage("startpolicy", "billing.praise-buyer", "ordering.order-confirmed")
    copy.manage("startpolicy", "billing.praise-payer", "billing.invoice_paid")

    assert 'name="billing.praise-buyer"' in copy.read("billing/policies/praise_buyer.py")
    assert "name=" not in copy.read("billing/policies/praise_payer.py")
    copy.run(sys.executable, "-m", "ruff", "check", "billing", "tests/billing")
    tests = ["tests/billing/test_praise_buyer.py", "tests/billing/test_praise_payer.py"]
    assert "4 passed" in copy.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        ("startpolicy billing.praise fulfillment.shipment-delivered", "'billing.praise' is no name for a reaction"),
        ("startpolicy sales.praise-buyer ordering.order-placed", "the context being one of ordering, inventory"),
        (
            "startpolicy billing.issue-invoice ordering.order-placed",
            "there is a reaction named 'billing.issue-invoice'",
        ),
        ("startpolicy billing.praise-buyer ordering.order-praised", "no event is named 'ordering.order-praised'"),
        ("startpolicy billing.praise-buyer ordering.order_placed", "billing can only hear its contracts"),
        ("startevent sales.order_praised order:OrderNumber", "'sales' is none of the contexts"),
        ("startevent ordering.praised order:OrderNumber", "write ordering.what_happened for a domain event"),
        ("startevent ordering.order_placed order:OrderNumber", "there is an event named 'ordering.order_placed'"),
        ("startevent ordering.order_praised", "an event without fields says nothing"),
        ("startevent ordering.order_praised order", "write fields as name:Type"),
        ("startevent ordering.order_praised order:Order", "the types are Address, "),
        ("startcontext ordering", "'ordering' is no name for a new context"),
        ("startcontext New-Sales", "'New-Sales' is no name for a new context"),
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
