"""Nothing that Waybill does needs a session: a pooler such as PgBouncer gives each transaction another one.

What a session remembers is found in two ways: in the text of the code, and in the statements of all commands.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from integration.aggregates.rebuild import aggregates, rebuild_snapshots
from integration.messaging.wakeups import DeliveryQueue
from tests.costs import Meter, Walk

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ["config", "integration", *settings.CONTEXTS]

REMEMBERED = re.compile(
    r"""^\s*(?:
        SET\s+(?:SESSION\s+)?(?:\w+(?:\.\w+)?\s*(?:=|\bTO\b)|ROLE\b|TIME\s+ZONE\b|AUTHORIZATION\b) |
        RESET\s | SHOW\s | DISCARD\s | LISTEN\s | UNLISTEN\s |
        PREPARE\s | DECLARE\s | CREATE\s+(?:LOCAL\s+|GLOBAL\s+)?TEMP
    ) |
    set_config\s*\((?![^()]*,\s*TRUE\s*\)) | pg_(?:try_)?advisory_(?:lock|unlock)""",
    re.IGNORECASE | re.VERBOSE,
)
"""SQL whose effect outlives the transaction."""

DJANGOS = "SELECT set_config('TimeZone', %s, false)"
"""Django sets the time zone when it connects. PgBouncer tracks it for each client."""

WITHOUT_A_POOLER = "SET jit = off"
"""What a connection sets if there is no pooler between it and the server."""


@pytest.mark.parametrize(
    ("sql", "remembered"),
    [
        ("SET lock_timeout = 5", True),
        ("  set session statement_timeout to 5", True),
        ("SET LOCAL lock_timeout = 5", False),
        ("SET CONSTRAINTS ALL IMMEDIATE", False),
        ("SELECT set_config('statement_timeout', %s, false)", True),
        ("SELECT set_config('synchronous_commit', 'off', TRUE)", False),
        ("SHOW lock_timeout", True),
        ("SELECT pg_advisory_lock(5)", True),
        ("SELECT pg_try_advisory_lock(%s)", True),
        ("SELECT pg_try_advisory_xact_lock(%s)", False),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", True),
        ("CREATE TEMP TABLE t (a int)", True),
        ("UPDATE t SET a = 5", False),
        ("RESET statement_timeout", True),
    ],
)
def test_what_a_session_remembers(sql: str, remembered: bool) -> None:
    assert bool(REMEMBERED.search(sql)) == remembered


def texts() -> Iterator[tuple[str, str]]:
    """Every text in the code that is no docstring, with its place."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            nodes = [*ast.walk(ast.parse(path.read_text()))]
            parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
            for node in nodes:
                if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in parts:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", ast.unparse(node).lstrip("frbu").strip("\"'")


def test_no_text_of_the_code_is_such_a_statement() -> None:
    in_capitals = re.compile(r"\s*[A-Z]{3}|.*(set_config|advisory)", re.DOTALL)
    assert [place for place, text in texts() if in_capitals.match(text) and REMEMBERED.search(text)] == [
        next(place for place, text in texts() if text == WITHOUT_A_POOLER)
    ]


def test_no_code_reads_with_a_cursor_on_the_server() -> None:
    """`iterator()` would use one, or load all rows at once: `integration.storage.pages` does neither."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"iterator", "aiterator"}
    ]
    assert found == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no sessions")
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_no_command_or_reaction_leaves_anything_in_the_session(woken: list[DeliveryQueue]) -> None:
    seen: set[str] = set()

    def see(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.add(str(sql))
        return execute(sql, params, many, context)

    connection.close()
    with connection.execute_wrapper(see):
        Walk(Meter(woken), 1, "A").run_everything()
        call_command("verify")
        call_command("rebuild", "--all")
        call_command("rebuild", "--all", "--check")
        for model in aggregates():
            rebuild_snapshots(model)
    assert len(seen) > 100
    assert {sql for sql in seen if REMEMBERED.search(sql)} <= {DJANGOS}
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_settings WHERE source = 'session' AND setting <> reset_val")
        assert {name for (name,) in cursor.fetchall()} <= {"TimeZone", "jit"}
        cursor.execute("SELECT name FROM pg_cursors UNION ALL SELECT mode FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchall() == []
