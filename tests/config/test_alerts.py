"""Every metric of the alert rules and the dashboard exists, and every alert has a paragraph in the runbook."""

import json
import re
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from prometheus_client import REGISTRY

from config.metrics.depths import Depths

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "waybill.json"


def _known() -> set[str]:
    """The names of all samples that `/metrics` can show."""
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "gauge": [""]}
    families = [*REGISTRY.collect(), *Depths().collect()]
    return {family.name + suffix for family in families for suffix in suffixes.get(family.type, [])}


@pytest.mark.django_db
def test_metrics_of_rules_and_dashboard_exist() -> None:
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    asked = [RULES.read_text(), *[target["expr"] for panel in panels for target in panel["targets"]]]
    named = {name for text in asked for name in re.findall(r"\bwaybill_\w+", text)}

    assert len(named) > 15
    assert named - _known() == set()


def test_every_alert_has_a_paragraph_in_the_runbook_and_a_test() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    runbook = (ROOT / "docs" / "operations.md").read_text()
    tested = re.findall(r"- name: (\w+)\n", RULES.with_name("rules_test.yml").read_text())

    assert alerts == re.findall(r"^\*\*(\w+)\*\* \(", runbook, re.MULTILINE)
    assert alerts == tested


@pytest.mark.skipif(not which("promtool"), reason="promtool is not installed; .ci/run installs it")
def test_each_fault_raises_its_alert_and_no_other() -> None:
    for words in (["check", "rules", RULES.name], ["test", "rules", "rules_test.yml"]):
        ran = subprocess.run(["promtool", *words], cwd=RULES.parent, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
