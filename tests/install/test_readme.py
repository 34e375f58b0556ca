"""The commands are in the sections of README in which `tests.install` looks for them."""

import re

from tests.install import readme
from tests.system.running_system import ROOT


def test_a_server_is_installed_migrated_and_served_by_three_programs() -> None:
    server = readme.server()
    assert [command[0] for command in server.commands] == [
        "make",
        *[".venv/bin/python"] * 3,
        *[".venv/bin/celery"] * 2,
    ]
    for words in (["install"], ["migrate"], ["collectstatic"], ["serve"], ["worker"], ["beat"]):
        assert "#" not in server.command(*words)


def test_every_setting_of_a_server_exists() -> None:
    known = set(re.findall(r"^#(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    exported = readme.server().settings
    assert {"DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "PAYMENT_PROVIDER"} <= set(exported)
    assert set(exported) - known == set()


def test_the_first_order_is_placed_by_a_buyer_and_delivered_by_an_operator() -> None:
    buyer, operator = readme.first_order(8123)
    assert "URL=http://127.0.0.1:8123/api/v1" in buyer
    assert "URL=http://127.0.0.1:8123/api/v1" in operator
    assert "/orders/R-1001/timeline" in buyer
    assert "/shipments/S-1001-1/deliver" in operator
    assert ":8000" not in buyer + operator
