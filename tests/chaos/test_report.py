"""The page of proofs, written from stored reports."""

from pathlib import Path

import pytest

from tests.chaos import report

HEALTHY = {
    "peer": "Redis",
    "what": "READONLY: a fail-over",
    "broker": "redis",
    "healed": 1.2,
    "n": {"orders": 20, "lost": 0, "longest request s": 0.31, "letters": 3},
    "violations": [],
    "seconds": 14.0,
}
ILL = {**HEALTHY, "peer": "disk", "broker": "", "healed": None, "n": {"starts": 40}, "violations": ["one | is lost"]}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(report, "REPORTS", tmp_path)
    monkeypatch.setattr(report, "PAGE", tmp_path / "proofs.md")
    return tmp_path / "proofs.md"


def test_outages_are_a_table_with_all_that_each_row_has_measured(page: Path) -> None:
    report.keep("outages", {"a": HEALTHY, "b": ILL, "violations": ["b: one | is lost"], "seconds": 60})

    report.write_page()

    lines = page.read_text().splitlines()
    assert "| Redis | READONLY: a fail-over | redis | 20 | 0 | 1.2 | 0.31 | letters 3 | 0 |" in lines
    assert "| disk | READONLY: a fail-over |  | – | – | – | – | starts 40 | 1 |" in lines
    assert "* disk, READONLY: a fail-over: one \\| is lost" in lines
    assert [line for line in lines if line.startswith("| outages | **no** | 60 |")]
