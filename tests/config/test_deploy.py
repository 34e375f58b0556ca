"""The files in `deploy/` name commands and settings that exist. None of them is run here."""

import re
from pathlib import Path

from django.core.management import get_commands

from config.environment import NAMES

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
FILES = [DEPLOY / "Procfile", *UNITS]


def test_commands_exist() -> None:
    text = "\n".join(file.read_text() for file in FILES)

    assert set(re.findall(r"manage\.py (\w+)", text)) <= set(get_commands())
    assert set(re.findall(r"celery -A config (\w+)", text)) == {"worker", "beat"}


def test_settings_of_units_exist() -> None:
    given = [line for file in UNITS for line in file.read_text().splitlines() if line.startswith("Environment=")]

    assert len(UNITS) == len(given) == 3
    assert {name for line in given for name in re.findall(r"([A-Z_]+)=/", line)} <= NAMES
