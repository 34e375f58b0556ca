"""All code reads the time from `clock`. No code asks a machine, the database or a library for it, nor lets Celery or
Redis compare the clocks of two machines.

Ruff finds the functions of Python and Django, the test below everything else.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ["config", "integration", *settings.CONTEXTS]
SERVER_CLOCK = "integration/storage/postgresql/server_clock.py"
"""The one module that asks the database for the time, in order to set the clock."""

ARGUMENTS = {
    **dict.fromkeys(["expires", "eta", "countdown"], "Celery compares the clocks of two machines"),
    **dict.fromkeys(["auto_now", "auto_now_add"], "Django asks the machine: write default=clock.now"),
    **dict.fromkeys(["exat", "pxat"], "Redis compares its clock with ours: let the key expire after a time"),
}
SQL = re.compile(
    r"\b((now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|unixepoch)\s*\(\)"
    r"|current_(timestamp|time|date)\b|localtime(stamp)?\b|(datetime|date|strftime|julianday|unixepoch)\([^)]*'now')",
    re.IGNORECASE,
)
IMPORTS = """
import datetime as dt
import time
from datetime import date, datetime
from django.utils import timezone
""".strip().splitlines()
FORBIDDEN = """
from time import time as seconds, time_ns
from django.db.models.functions import Now
from django.utils.timezone import now
time.time()
time.time_ns()
time.localtime()
time.gmtime()
time.ctime()
time.clock_gettime(0)
datetime.now(dt.UTC)
dt.datetime.now(dt.UTC)
datetime.utcnow()
datetime.today()
date.today()
timezone.now()
timezone.localdate()
""".strip().splitlines()


def second_clocks(source: str) -> Iterator[str]:
    """Sentences about the places in Python code that get the time from anywhere but `clock`."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ARGUMENTS:
            yield f"line {node.value.lineno}: {node.arg}=, {ARGUMENTS[node.arg]}"
        elif isinstance(node, ast.Dict):
            for key in node.keys:
                if isinstance(key, ast.Constant) and key.value in ARGUMENTS:
                    yield f"line {key.lineno}: '{key.value}', {ARGUMENTS[key.value]}"
        elif isinstance(node, ast.Constant) and node.value not in docstrings and (found := SQL.search(str(node.value))):
            yield f"line {node.lineno}: {found[0]} asks the database"


def sources(suffix: str) -> Iterator[Path]:
    """The files of the project's packages; migrations are past."""
    for package in PACKAGES:
        yield from (path for path in (ROOT / package).rglob(f"*{suffix}") if "migrations" not in path.parts)


def test_no_code_gets_the_time_from_anywhere_but_the_clock() -> None:
    found = {str(path.relative_to(ROOT)): [*second_clocks(path.read_text())] for path in sources(".py")}
    assert len(found.pop(SERVER_CLOCK)) == 1
    assert {path: places for path, places in found.items() if places} == {}


def test_no_template_shows_the_time_of_the_machine() -> None:
    templates = [*sources(".html"), *sources(".txt")]
    assert templates
    assert [path for path in templates if re.search(r"{%\s*now\b", path.read_text())] == []


@pytest.mark.parametrize(
    "code",
    [
        "send_task('sweep', expires=1)",
        "sweep.apply_async(countdown=1)",
        "options = {'queue': 'q', 'eta': moment}",
        "created_at = models.DateTimeField(auto_now_add=True)",
        "redis.set('key', 1, pxat=moment)",
        "cursor.execute('SELECT * FROM t WHERE due_at <= now()')",
        'cursor.execute(f"UPDATE t SET at = CURRENT_TIMESTAMP WHERE {condition}")',
        "cursor.execute(\"SELECT datetime('now')\")",
        "cursor.execute(\"SELECT strftime('%s', 'now')\")",
        "cursor.execute('SELECT localtimestamp')",
    ],
)
def test_a_second_clock_is_found(code: str) -> None:
    assert len([*second_clocks(code)]) == 1


def test_ruff_finds_every_function_that_asks_the_machine() -> None:
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "json", "--select", "TID251,DTZ"]
    done = subprocess.run(
        [*command, "--stdin-filename", str(ROOT / "integration" / "second_clock.py"), "-"],
        input="\n".join(IMPORTS + FORBIDDEN),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = {problem["location"]["row"] for problem in json.loads(done.stdout)}
    assert found == {n for n, _ in enumerate(FORBIDDEN, len(IMPORTS) + 1)}
