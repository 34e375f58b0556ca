"""A sample of the crash matrix, on the kind of database the suite runs on; `make chaos` tries every point."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from harness import run_harness

from integration.domain import clock
from tests.chaos.flows import FLOWS, World, open_shop, own_steps


@pytest.mark.parametrize("seed", [1, 2])
def test_a_flow_that_is_killed_anywhere_ends_right(tmp_path: Path, seed: int) -> None:
    report = run_harness(tmp_path, "matrix", "--sample", "60", "--seed", str(seed))
    assert report["violations"] == []
    assert sum(report["died"].values()) >= 57, "nearly every process must really have died at its point"
    assert len(report["points"]) >= 8, "a sample that leaves flows out shows nothing about them"


@pytest.mark.django_db
def test_flows_run_the_same_statements_in_the_steps_they_share() -> None:
    open_shop()
    statements: dict[tuple[str, ...], tuple[str, set[str]]] = {}
    for name, flow in FLOWS.items():
        world, path, seen = World(name), (), []
        with clock.standing_at(clock.now()), transaction.atomic(), connection.execute_wrapper(_note(seen)):
            for step in flow.steps:
                path, _ = (*path, step.name), seen.clear()
                step.run(world)
                first, its_own = statements.setdefault(path, (name, set(seen)))
                assert set(seen) == its_own, f"{name} and {first} are not alike in {path}"
            transaction.set_rollback(True)

    assert sum(map(len, own_steps().values())) == len(statements)


def _note(seen: list[str]) -> Any:
    def note(execute: Any, sql: str, *args: Any) -> Any:
        # A rolled back flow leaves gaps in PostgreSQL's sequences, at which a read model looks for open transactions.
        if "pg_locks" not in sql:
            seen.append(re.sub(r"(%s[, ]*)+|s\d+_x\d+", "…", sql))
        return execute(sql, *args)

    return note
