"""A simulation gives the same history for the same seed, does not touch the shop, and finds planted bugs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from config.management.commands.simulate import INSIDE
from config.simulation.run import simulate
from integration.aggregates.unit_of_work import unit_of_work
from inventory import commands as inventory
from inventory.models import Reservation
from tests.once import embedded_only

WITHOUT_ROWS = {
    "billing.a_dispute_takes_what_it_is_about",
    "billing.a_failed_capture_is_a_task",
    "billing.a_second_person_approves",
    "billing.an_authorization_ends",
    "billing.captured_is_its_captures",
    "process.every_waiting_payment_ends",
    "erasing.an_ended_cart_holds_no_address",
    "erasing.an_erased_buyer_has_no_open_cart",
    "erasing.no_letter_to_an_erased_buyer_is_stored",
    "erasing.nothing_is_left_of_an_anonymized_order",
    "events.each_archived_message_is_whole",
    "events.numbers_are_not_cached",
    "ordering.a_cart_is_checked_out_once",
    "ordering.a_guest_has_one_order",
    "ordering.claims_are_as_far_as_their_orders",
    "ordering.discounts_of_vouchers_have_claims",
    "ordering.vouchers_count_their_claims",
    "process.every_request_waits_for_something",
    "process.what_came_back_is_settled",
    "webhooks.each_message_has_its_rows",
}
"""The checks that may have nothing to look at: a short simulation erases and archives nothing, charges cards at order,
writes no e-mails to files, and has no request without an outcome at its end. Some have no guest's cart, no voucher or
no return. SQLite has no sequences."""
AFTER_THE_ORDER = ("holds", "cancellations of lines", "withdrawals", "parcels lost", "parcels brought back", "returns")
"""What may happen to orders besides going out whole; of few orders to some only."""


def run(tmp_path: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a new process, whose configured database cannot be opened."""
    mine = {"DATABASE_URL": f"sqlite:///{tmp_path}/no/such/folder/shop.sqlite3", "WAYBILL_VAR": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "manage.py", "simulate", *options],
        cwd=settings.BASE_DIR,
        env={**os.environ, "CELERY_BROKER_URL": "memory://", **mine, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def outcome(tmp_path: Path, seed: int, orders: int, **environment: str) -> dict[str, Any]:
    """The outcome of a small simulation."""
    done = run(tmp_path, "--seed", str(seed), "--orders", str(orders), "--json", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@embedded_only
def test_the_same_seed_gives_the_same_history_under_any_settings(tmp_path: Path) -> None:
    first = outcome(tmp_path, 5, orders=4)

    assert outcome(tmp_path, 5, orders=4, SANDBOX_FAILURE_RATE="1", PAYMENT_DEADLINE_MINUTES="1") == first


@embedded_only
def test_another_seed_gives_another_history(tmp_path: Path) -> None:
    assert outcome(tmp_path, 5, orders=3)["history"] != outcome(tmp_path, 6, orders=3)["history"]


@embedded_only
def test_every_kind_of_failure_happens_and_there_is_no_offender(tmp_path: Path) -> None:
    done = outcome(tmp_path, 7, orders=10)

    assert done["offenders"] == []
    assert sum(done["orders"].values()) >= 10
    assert set(done["deliveries"]) == {"done"}
    for trouble in ("dropped", "doubled", "delayed", "overtaken"):
        assert done["tally"][f"wake-ups {trouble}"] > 0
    assert done["tally"]["crashes"] > 0
    assert done["tally"]["shipments split"] > 0
    assert done["tally"]["carts checked out"] > 0
    assert sum(done["tally"].get(what, 0) for what in AFTER_THE_ORDER) > 0
    assert {check for check, looked_at in done["checks"].items() if not looked_at} <= WITHOUT_ROWS


@embedded_only
def test_cards_may_be_charged_as_goods_leave(tmp_path: Path) -> None:
    done = run(tmp_path, "--seed", "7", "--orders", "6", "--capture", "at_dispatch", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["checks"]["billing.captured_is_its_captures"] > 0


@embedded_only
def test_the_configured_database_is_not_touched(tmp_path: Path) -> None:
    done = run(tmp_path, "--orders", "2")

    assert done.returncode == 0, done.stderr
    assert "history " in done.stdout
    assert not (tmp_path / "no").exists()


@embedded_only
def test_a_simulation_without_orders_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "--orders", "0")

    assert done.returncode == 1
    assert done.stderr == "CommandError: --orders must be 1 or more.\n"


@embedded_only
def test_a_database_that_is_not_in_memory_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, **{INSIDE: "1"})

    assert done.returncode == 1
    assert "in memory only" in done.stderr


def release_nothing(order: Any, reason: str) -> None:
    """Release the reservation, but not its stock: a planted bug."""
    with unit_of_work() as work:
        work.get(Reservation, order).release(reason)


@pytest.mark.django_db(transaction=True)
def test_a_planted_bug_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "release_reservation", release_nothing)

    found = simulate(seed=1, orders=15).offenders

    assert any(offender.startswith("inventory.reserved_is_what_orders_hold: ") for offender in found)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "postgresql", reason="the command refuses a database that is not in memory")
def test_the_command_names_the_offenders_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(INSIDE, "1")
    monkeypatch.setattr(inventory, "release_reservation", release_nothing)

    with pytest.raises(CommandError, match="offenders"):
        call_command("simulate", seed=1, orders=10)

    assert "inventory.reserved_is_what_orders_hold: " in capsys.readouterr().out
