"""Every measurement of `make bench` runs on servers of its own. These tests never judge how fast anything is."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.bench import report
from tests.bench.pairing import Goal, Pair, Side, in_turn
from tests.bench.rows import SECTIONS
from tests.bench.stage import SHORT

ROOT = Path(__file__).parents[2]
ON_SERVERS = {"a": 1, "b": 1, "c": 1, "d": 2, "f": 2, "g": 1, "h": 1, "k": 2, "l": 2}
"""The rows that need servers, and the number of figures of each."""
IN_ONE_PROCESS = {"e": 2, "i": 1}


@pytest.mark.system
def test_every_row_and_its_baseline_are_measured() -> None:
    # The rows with servers start their own, so they run only once: when the suite runs on PostgreSQL.
    rows, sections = (IN_ONE_PROCESS, {}) if settings.EMBEDDED else (ON_SERVERS, SECTIONS)
    done = run("tests.bench", "--short", "--only", ",".join([*rows, *sections]))
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert {name: len(measured[name]["figures"]) for name in rows} == rows
    for figure in (figure for name in rows for figure in measured[name]["figures"]):
        assert_measured(figure)
    if sections:
        assert_an_order_is_accounted_for(measured["capacity"])
        assert_both_layouts_grew(measured["growth"])
        assert_every_part_takes_its_time(measured["profile"])
    for name, section in sections.items():
        assert "nan" not in "\n".join(section.render(measured[name]))


def assert_an_order_is_accounted_for(report: dict[str, Any]) -> None:
    rest, command = report["an_order"]["REST"], report["an_order"]["command"]
    for way, placed_by in ((rest, "web"), (command, "placers")):
        assert min(way[name] for name in (placed_by, "worker", "PostgreSQL", "wal", "commits")) > 0
    assert rest["placers"] == 0


def assert_every_part_takes_its_time(report: dict[str, Any]) -> None:
    embedded = report["embedded"]
    ours, chain = [*report["took"].values(), *embedded["took"].values()], [report["chain"], embedded["chain"]]
    parts = [*ours, *chain, report["line of a large order"], report["event"]]
    assert len(parts) == 10
    assert min(time for part in parts for time in part.values()) > 0
    assert report["rows"]["ours"] > report["rows"]["chain"] > 0


def assert_both_layouts_grew(report: dict[str, Any]) -> None:
    for points in report["layouts"].values():
        assert [point["orders"] for point in points] == list(SHORT.growth)
        assert min(points[0]["ms"].values()) > 0
        assert points[1]["table_bytes"] > points[0]["table_bytes"]
    assert {month["rows"] > 0 for month in report["month"].values()} == {True}


def assert_measured(figure: dict[str, Any]) -> None:
    sides = figure["rounds"]
    assert len(sides["ours"]) == len(sides["baseline"]) == 1
    assert min(sides["ours"] + sides["baseline"]) > 0
    assert figure["ratio"] == pytest.approx(sides["ours"][0] / sides["baseline"][0])
    assert isinstance(figure["met"], bool)


def test_the_page_shows_each_ratio_with_its_spread_its_goal_and_whether_it_is_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "REPORTS", tmp_path)
    monkeypatch.setattr(report, "PAGE", tmp_path / "performance.md")
    twice, half = Pair([200.0, 220.0, 180.0], [100.0, 100.0, 100.0]), Pair([4.0, 5.0, 6.0], [10.0, 10.0, 10.0])
    run_of = {"at": "today", "commit": "abc", "machine": "a machine", "load": "0.1"}
    for name, pair in {"a": twice, "i": half}.items():
        figure = {**pair.as_report("the flow", "orders/s", Goal(0.7)), "baseline": "a chain"}
        report.store(name, {"figures": [figure], "n": "9 orders", "run": run_of})
    report.store("growth", {"n": "3 sizes", "run": run_of})
    page = report.write_page({"capacity": lambda report: ["never"], "growth": lambda report: ["## Growth"]}).read_text()
    assert "| a | the flow | a chain | ≥ 0.7 | **2.00** (1.80–2.20) | met | 200 (180–220) | 100 (100–100) |" in page
    assert "| i | the flow | a chain | ≥ 0.7 | **0.50** (0.40–0.60) | **not met** | 5.0 (4.0–6.0) |" in page
    assert "| a | 9 orders | 3 | today | abc | a machine | 0.1 |" in page
    assert "Not measured: b, c, d, e, f, g, h, j, k, l." in page
    assert page.endswith("## Growth\n\nMeasured today at abc: 3 sizes. a machine, load 0.1.\n")
    assert "never" not in page


def test_sides_are_measured_alternately_after_a_warm_up_that_does_not_count() -> None:
    turns: list[str] = []

    def side(name: str) -> Side:
        def measure() -> dict[str, float]:
            turns.append(name)
            return {"": float(len(turns))}

        return measure

    pairs = in_turn(side("A"), side("B"), rounds=3)
    assert "".join(turns) == "AB" + "ABABAB"
    assert pairs[""] == Pair([3.0, 5.0, 7.0], [4.0, 6.0, 8.0])
    assert pairs[""].ratio == 5 / 6
    assert Goal(3.0, at_most=True).is_met(3.0)
    assert not Goal(1.0).is_met(0.99)


def test_without_a_package_index_the_program_says_that_row_j_is_not_measured(tmp_path: Path) -> None:
    unreachable = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    done = run("tests.bench.peers", WAYBILL_PEERS=str(tmp_path / "peers"), **unreachable)
    assert done.returncode == 1
    assert "django-oscar" in done.stderr
    assert "row j is not measured" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--only", "a,x"], "there is no row x"),
        (["--rounds", "0"], "0 is less than 1"),
        (["--memory", "50,5"], "the smaller first"),
        (["--growth", "50,5"], "the smallest first"),
    ],
)
def test_a_wrong_option_is_refused_with_a_sentence(options: list[str], complaint: str) -> None:
    done = run("tests.bench", *options)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def run(module: str, *options: str, **own: str) -> "subprocess.CompletedProcess[str]":
    environment, command = {**os.environ, **own}, [sys.executable, "-m", module, *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False)
