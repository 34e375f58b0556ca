"""Store the report of each part, and write `docs/proofs.md` from all stored reports."""

import json
import os
import platform
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.revision import revision
from tests.system.running_system import ROOT

REPORTS = ROOT / "var" / "chaos"
PAGE = ROOT / "docs" / "proofs.md"
NOT_CODE = {"var", "docs", "staticfiles"}
"""Folders that hold no code of Waybill."""
HEAD = """# What was shown

`make chaos` writes this page from the reports of real runs, one for each part; it is not edited by hand. Each number
says how often something was tried. It held every time unless a violation is listed.

"""


ALL = (
    "matrix on SQLite",
    "matrix on PostgreSQL",
    "bugs",
    "faults",
    "embedded",
    "loads",
    "outages",
    "simulations",
    "machines",
    "mutants",
)
"""The parts of the page, in order. `make mutants` adds the last, `make chaos` all others."""


def keep(name: str, report: dict[str, Any]) -> None:
    """Store a part's report, with the time, the commit and the machine of the run."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / f"{name}.json").write_text(json.dumps({**report, "run": _run()}, indent=2))


def unfinished(name: str, without: str = "") -> Path:
    """The path of a file for the results of a run that has not ended.

    It is named after a hash of all Python files, those in the folder `without` left out.
    """
    digest = sha256()
    for folder in sorted(
        path
        for path in ROOT.iterdir()
        if path.is_dir() and path.name not in {*NOT_CODE, without} and path.name[0] != "."
    ):
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    REPORTS.mkdir(parents=True, exist_ok=True)
    return REPORTS / f"{name}, {digest.hexdigest()[:12]}.unfinished"


def write_page() -> None:
    """Write the page from all stored reports."""
    reports = {path.stem: json.loads(path.read_text()) for path in sorted(REPORTS.glob("*.json"))}
    PAGE.write_text(HEAD + "\n".join(_lines(reports)) + "\n")


def _run() -> dict[str, Any]:
    return {
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": revision(),
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
    }


def _lines(reports: dict[str, Any]) -> Iterator[str]:
    yield from _table(
        ["part", "held", "seconds", "when", "commit", "machine"],
        [
            [name, "yes" if not report["violations"] else "**no**", report["seconds"], *report["run"].values()]
            for name, report in reports.items()
        ],
    )
    missing = [name for name in ALL if name not in reports]
    if missing:
        yield f"\nNot run: {', '.join(missing)}."
    matrices = {name: report for name, report in reports.items() if "points" in report}
    if matrices:
        yield from _crash_matrix(matrices)
    for name, report in reports.items():
        if "planted" in report:
            yield from _planted_bugs(report)
        elif "mutants" in report:
            yield from _mutants(report)
        elif rows := [part for part in report.values() if isinstance(part, dict) and "peer" in part]:
            yield from _outages(rows)
        elif "points" not in report:
            yield from _live(name, report)


def _crash_matrix(matrices: dict[str, Any]) -> Iterator[str]:
    yield "\n## The crash matrix\n"
    yield "Each step of a flow was killed before and after every statement and every commit, and once more at each"
    yield "commit that succeeded but was reported as failed. Then the flow ran again from its first step, its requests"
    yield "were repeated, and every invariant was checked. A step that flows share counts for the first of them.\n"
    rows = [
        [name, flow.replace("_", " "), f"{points:,}", f"{report['died'].get(flow, 0):,}", _of(report, flow)]
        for name, report in matrices.items()
        for flow, points in report["points"].items()
    ]
    total = Counter[str]()
    for report in matrices.values():
        total["points"] += sum(report["points"].values())
        total["died"] += sum(report["died"].values())
    rows.append(["**all**", "", f"**{total['points']:,}**", f"**{total['died']:,}**", _of_all(matrices)])
    yield from _table(["run", "flow", "points", "died there", "violations"], rows)


def _of(report: dict[str, Any], flow: str) -> str:
    return str(sum(violation.startswith(flow) for violation in report["violations"]))


def _of_all(reports: dict[str, Any]) -> str:
    return f"**{sum(len(report['violations']) for report in reports.values())}**"


def _planted_bugs(report: dict[str, Any]) -> Iterator[str]:
    yield f"\n## Planted bugs: {report['caught']} of {report['planted']} caught\n"
    yield from _table(
        ["bug", "how it showed"], [[bug, how or "**not at all**"] for bug, how in report["shown"].items()]
    )


def _mutants(report: dict[str, Any]) -> Iterator[str]:
    caught, tried = (sum(column) for column in zip(*report["mutants"].values(), strict=True))
    yield f"\n## Mutants: {caught} of {tried} caught\n"
    yield "Each is a small fault in one line, drawn from a seed. The fast tests that reach the line ran until one"
    yield "failed. For a line that runs at import these were the checks, and the tests that reach its module.\n"
    yield from _table(["package", "caught", "tried"], [[name, *counts] for name, counts in report["mutants"].items()])
    yield "\nSurvivors:\n" if report["survivors"] else ""
    for key, survivor in report["survivors"].items():
        why = survivor["because"] or "**not explained**" + (
            "" if survivor["reached"] else ", and no fast test reaches it"
        )
        yield f"* `{key}`: `{survivor['line']}` {why}"


def _live(name: str, report: dict[str, Any]) -> Iterator[str]:
    yield f"\n## {name.capitalize()}\n"
    for part in report.values():
        if not isinstance(part, dict) or "must hold" not in part:
            continue
        yield f"**{part['what']}** Must hold: {part['must hold']}.\n"
        yield from (f"* {what}: {_as_text(n)}" for what, n in part["n"].items())
        yield f"* violations: {len(part['violations'])}\n"
        yield from (f"    * {_cell(violation)}" for violation in part["violations"][:10])


def _outages(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "\n## Outages\n"
    yield "Each peer was ill while orders were placed. In the middle of it a worker and beat were started. *Healed* is"
    yield "the time from the moment when the peer was well until every order was confirmed. It may be 15 s. After each"
    yield "row every invariant was checked (`verify`), and the provider's books were compared.\n"
    yield from _table(
        ["peer", "ill in this way", "broker", "orders", "lost", "healed s", "longest request s", "also", "violations"],
        [_outage(row) for row in sorted(rows, key=lambda row: row["peer"])],
    )
    wrong = [f"* {row['peer']}, {row['what']}: {what}" for row in rows for what in row["violations"][:10]]
    yield from ["", *map(_cell, wrong)] if wrong else []


def _outage(row: dict[str, Any]) -> list[Any]:
    n = dict(row["n"])
    columns = [n.pop(name, "–") for name in ("orders", "lost")]
    longest, healed = n.pop("longest request s", "–"), "–" if row["healed"] is None else row["healed"]
    return [row["peer"], row["what"], row["broker"], *columns, healed, longest, _as_text(n), len(row["violations"])]


def _as_text(n: Any) -> str:
    if isinstance(n, dict):
        return ", ".join(f"{what} {_as_text(each)}" for what, each in n.items()) or "none"
    return f"{n:,}" if isinstance(n, int | float) else str(n)


def _table(head: list[str], rows: list[list[Any]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    yield from ("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows)


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
