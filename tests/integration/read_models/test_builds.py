"""Two versions of the code side by side: each shows what it knows, and neither changes what the other shows."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import models
from msgspec.structs import replace

from config.verification import verify
from integration.domain import clock
from integration.domain.events import domain_events
from integration.domain.identifiers import OrderNumber
from integration.domain.naming import UnknownName
from integration.domain.versions import UnknownVersion
from integration.messaging.tasks import run as run_routine
from integration.read_models import builds, registry
from integration.read_models.batch import Batch
from integration.read_models.catch_up import catch_up, catch_up_all
from integration.read_models.lag import lag
from integration.read_models.models import ReadModelBuild
from integration.read_models.rebuild import differences, rebuild
from integration.read_models.registry import ReadModel, read_models
from ordering.commands import cancel_order
from ordering.models import CancellationReason, History, LifetimeSpend, OrderBoard, SalesOfDay

Place = Callable[..., OrderNumber]
Drain = Callable[..., int]
Later = Callable[[timedelta], None]

SALES = SalesOfDay.read_model
SALES_CHECK = "read_models.sales_are_what_was_ordered"
CONFIRMED = "ordering.order_confirmed"

pytestmark = pytest.mark.django_db


@pytest.fixture
def new() -> ReadModel:
    """The read model as this code has it."""
    return read_models.get(SALES)


@pytest.fixture
def old(new: ReadModel) -> ReadModel:
    """The same read model in code that does not use confirmations yet, so it shows no sales."""
    return replace(new, events=new.events - {CONFIRMED})


@contextmanager
def running(model: ReadModel) -> Iterator[None]:
    """Let this process run the code with this read model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(read_models._by_name, model.name, model)
        yield


def sold() -> int:
    return sum(row.quantity for row in SalesOfDay.objects.all())


def sell(placed: Place, drain: Drain, pieces: int = 1) -> OrderNumber:
    order = placed({"MUG": pieces})
    drain()
    return order


# --- Neither changes what the other shows ---


def test_old_code_does_not_move_what_new_code_shows(
    placed: Place, drain: Drain, old: ReadModel, new: ReadModel
) -> None:
    sell(placed, drain)
    catch_up_all()
    for _ in range(3):
        sell(placed, drain)
        with running(old):
            catch_up_all()
            catch_up(SALES)
    catch_up_all()

    assert sold() == 4
    assert differences(new) == []
    assert len(ReadModelBuild.objects.filter(read_model=SALES)) == 2


def test_new_code_does_not_move_what_old_code_shows(
    placed: Place, drain: Drain, old: ReadModel, new: ReadModel
) -> None:
    sell(placed, drain)
    with running(old):
        catch_up_all()
    before = ReadModelBuild.objects.get(read_model=SALES)
    sell(placed, drain)
    catch_up_all()
    cancel_order(sell(placed, drain), CancellationReason.BY_BUYER)
    catch_up(SALES)

    before.refresh_from_db()
    assert before.code == old.code != new.code
    with running(old):
        assert lag_of(SALES).build == before.pk
        assert lag_of(SALES).events > 0
        catch_up_all()
        assert lag_of(SALES).events == 0
        assert differences(old) == []


def test_new_code_reads_what_old_code_made_until_it_has_built_its_own(
    placed: Place, drain: Drain, old: ReadModel, new: ReadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = replace(new, project=_sell_twice)
    sell(placed, drain)
    with running(twice):
        catch_up_all()
        assert sold() == 2
    assert sold() == 2
    assert not lag_of(SALES).own
    assert "builds its own rows" in read_models_command()
    monkeypatch.setattr("integration.read_models.catch_up.BATCH", 1)
    monkeypatch.setattr("integration.read_models.catch_up.LONGEST_TURN", 0.0)
    catch_up_all()
    assert sold() == 2
    monkeypatch.undo()
    catch_up_all()
    assert sold() == 1
    assert lag_of(SALES).own


def _sell_twice(batch: Batch) -> None:
    for _ in range(2):
        read_models_of_this_code[SALES].project(batch)


read_models_of_this_code = dict(read_models.items())


def test_verify_judges_only_rows_that_this_code_has_made(placed: Place, drain: Drain, new: ReadModel) -> None:
    sell(placed, drain)
    with running(replace(new, project=_sell_twice)):
        catch_up_all()
        assert verify([SALES_CHECK])[SALES_CHECK].offenders
    assert sold() == 2
    assert verify([SALES_CHECK])[SALES_CHECK].offenders == []
    catch_up_all()
    assert verify([SALES_CHECK])[SALES_CHECK].offenders == []
    SalesOfDay.objects.update(quantity=7)
    assert verify([SALES_CHECK])[SALES_CHECK].offenders


def test_code_that_is_rolled_back_goes_on_where_it_was(
    placed: Place, drain: Drain, old: ReadModel, new: ReadModel
) -> None:
    sell(placed, drain)
    catch_up_all()
    with running(old):
        catch_up_all()
        sell(placed, drain)
        catch_up_all()
    catch_up(SALES)

    assert sold() == 2
    assert differences(new) == []


# --- Builds of code that is gone ---


def test_an_abandoned_build_is_caught_up_until_the_own_one_is_ready(
    placed: Place, drain: Drain, old: ReadModel, new: ReadModel, later: Later
) -> None:
    with running(old):
        sell(placed, drain)
        catch_up_all()
    sell(placed, drain)
    catch_up(SALES)
    assert (sold(), lag_of(SALES).events > 0) == (0, True)
    later(builds.ABANDONED_AFTER + timedelta(seconds=1))
    catch_up(SALES)  # other code is not there any more: the second order is shown, the first one is still missing
    assert (sold(), lag_of(SALES).events) == (1, 0)
    assert ReadModelBuild.objects.get(read_model=SALES).code == ""
    with running(old):
        catch_up_all()
        assert differences(old) == []
    catch_up_all()
    assert sold() == 2


def test_a_build_of_code_before_fingerprints_is_caught_up_by_both_and_then_left_alone(
    placed: Place, drain: Drain, new: ReadModel
) -> None:
    begun_by_old_code = ReadModelBuild.objects.create(read_model=SALES, live=True, started_at=clock.now())
    sell(placed, drain)
    catch_up(SALES)
    assert sold() == 1
    assert lag_of(SALES).build == begun_by_old_code.pk
    # Older code moves it past an order without a row of it.
    sell(placed, drain)
    begun_by_old_code.refresh_from_db()
    last = lag_of(SALES).events
    ReadModelBuild.objects.filter(pk=begun_by_old_code.pk).update(mark=models.F("mark") + last)
    assert sold() == 1
    catch_up_all()
    assert sold() == 2
    assert differences(new) == []
    sell(placed, drain)
    before = ReadModelBuild.objects.get(pk=begun_by_old_code.pk).mark
    catch_up_all()
    assert ReadModelBuild.objects.get(pk=begun_by_old_code.pk).mark == before


def test_an_abandoned_build_is_deleted_after_a_day(
    placed: Place, drain: Drain, old: ReadModel, new: ReadModel, later: Later
) -> None:
    with running(old):
        catch_up_all()
    cancel_order(sell(placed, drain), CancellationReason.BY_BUYER)
    catch_up_all()
    later(builds.DELETED_AFTER - timedelta(hours=1))
    run_routine("integration.delete-abandoned-builds")
    assert ReadModelBuild.objects.filter(code=old.code).exists()
    later(timedelta(hours=2))
    run_routine("integration.delete-abandoned-builds")
    assert not ReadModelBuild.objects.filter(code=old.code).exists()
    assert {build.code for build in ReadModelBuild.objects.filter(read_model=SALES)} == {new.code}


def test_builds_in_use_and_rebuilds_under_way_are_not_deleted(
    placed: Place, drain: Drain, old: ReadModel, new: ReadModel, later: Later
) -> None:
    sell(placed, drain)
    later(timedelta(days=3))
    with running(old):
        catch_up_all()
    catch_up_all()
    builds.begin_anew(new)
    before = set(ReadModelBuild.objects.values_list("pk", flat=True))
    run_routine("integration.delete-abandoned-builds")
    assert set(ReadModelBuild.objects.values_list("pk", flat=True)) == before


def test_a_rebuild_that_a_worker_has_finished_stays(placed: Place, drain: Drain, new: ReadModel) -> None:
    sell(placed, drain)
    rebuild(new, lambda applied: catch_up_all())
    assert sold() == 1
    assert ReadModelBuild.objects.get(read_model=SALES).ready


# --- Events of newer code ---


@pytest.mark.parametrize(
    ("name", "event"),
    [(SALES, CONFIRMED), (LifetimeSpend.read_model, "ordering.order_placed"), (OrderBoard.read_model, CONFIRMED)],
    ids=["one that it uses", "one of its stream that it does not use", "one of many that it uses"],
)
def test_a_read_model_stops_at_an_event_that_its_code_does_not_know(
    placed: Place, drain: Drain, name: str, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell(placed, drain)
    catch_up_all()
    sell(placed, drain)
    with monkeypatch.context() as patch:
        patch.delitem(domain_events._by_name, event)
        catch_up_all()
        catch_up(name)
        assert lag_of(name).error == f"UnknownName: no domain event is named '{event}'"
        assert lag_of(name).events > 0
        assert lag_of("inventory.stock-per-day").events == 0
    catch_up_all()
    assert {(each.events, each.error) for each in lag()} == {(0, "")}
    assert sold() == 2


def test_a_request_stops_catching_up_when_there_is_nothing_more(placed: Place, drain: Drain, statements: Any) -> None:
    sell(placed, drain)
    catch_up_all()
    sell(placed, drain)
    with statements() as seen:
        catch_up(SALES)
    assert sold() == 2
    assert sum("FROM ordering_history" in sql and "ORDER BY" in sql for sql in seen) == 1, seen


def test_an_error_of_the_own_build_is_shown_while_another_is_read(
    placed: Place, drain: Drain, old: ReadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell(placed, drain)
    with running(old):
        catch_up_all()
    monkeypatch.delitem(domain_events._by_name, CONFIRMED)
    catch_up_all()
    assert lag_of(SALES).error == "UnknownName: no domain event is named 'ordering.order_confirmed'"


def test_an_event_in_a_newer_version_is_refused() -> None:
    History(name=CONFIRMED, schema_version=1).refuse_unknown()
    with pytest.raises(UnknownVersion, match="known up to version 1, and this is version 2"):
        History(name=CONFIRMED, schema_version=2).refuse_unknown()
    with pytest.raises(UnknownName):
        History(name="ordering.order_given_away", schema_version=1).refuse_unknown()


# --- Fingerprints ---


def test_a_fingerprint_changes_with_all_that_determines_the_rows(new: ReadModel) -> None:
    others = [
        replace(new, events=frozenset()),
        replace(new, events=new.events - {CONFIRMED}),
        replace(new, stream="invoice"),
        replace(new, rows=OrderBoard),
        replace(new, project=_sell_twice),
        replace(new, module=(lambda: 2).__code__),
    ]
    codes = [model.code for model in [new, *others]]
    assert len(set(codes)) == len(codes)
    assert replace(new).code == new.code


def test_functions_of_the_context_and_methods_of_the_rows_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def always_paid(row: Any) -> str:
        return "paid"

    board = read_models.get(OrderBoard.read_model)
    codes = {board.code}
    with monkeypatch.context() as patch:
        patch.setattr("ordering.queries.board.payment_status_of", always_paid)
        always_paid.__module__ = "ordering.models.order"
        codes.add(registry._fingerprint.__wrapped__(board))
        always_paid.__module__ = "integration.domain.money"  # functions of integration do not count
        codes.add(registry._fingerprint.__wrapped__(board))
    monkeypatch.setattr(OrderBoard, "is_paid", property(always_paid), raising=False)
    codes.add(registry._fingerprint.__wrapped__(board))
    assert len(codes) == 4


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    script = "import django; django.setup(); from integration.read_models.registry import read_models as all;"

    def codes(seed: str) -> str:
        process = subprocess.run(
            [sys.executable, "-c", f"{script} print([model.code for _, model in all.items()])"],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
        )
        assert process.returncode == 0, process.stderr
        return process.stdout.strip()

    assert codes("1") == codes("2") == str([model.code for _, model in read_models.items()])


def lag_of(name: str) -> Any:
    return {each.read_model: each for each in lag()}[name]


def read_models_command() -> str:
    output = StringIO()
    call_command("read_models", stdout=output)
    return output.getvalue()
