"""A rebuilt read model equals the live one, whatever happens during the rebuild."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections, transaction
from django.db.models import QuerySet

from billing import commands as billing
from billing.models import invoice_of
from config.verification import verify
from fulfillment import commands as fulfillment
from fulfillment.models.return_policy import ReturnReason
from integration.domain import clock
from integration.domain.identifiers import BuyerId, OrderNumber, ShipmentId, Sku, new_event_id
from integration.domain.money import Money
from integration.history.entries import HistoryEntry
from integration.messaging.tasks import run as run_routine
from integration.read_models import rebuild as rebuilding
from integration.read_models.builds import LockedBuild, lock_own
from integration.read_models.catch_up import (
    apply_next,
    catch_up,
    catch_up_all,
    catch_up_context,
)
from integration.read_models.lag import lag
from integration.read_models.models import ReadModelBuild
from integration.read_models.rebuild import RebuiltByAnother, differences, rebuild
from integration.read_models.registry import read_models
from inventory.models import StockOfDay
from ordering.commands import cancel_lines, cancel_order, change_profile
from ordering.models import Buyer, CancellationReason, History, LifetimeSpend, Order, OrderBoard, SalesOfDay

Place = Callable[..., OrderNumber]
Drain = Callable[..., int]

ALL = [name for name, _ in read_models.items()]


@pytest.fixture
def at_work(placed: Place, drain: Drain) -> list[OrderNumber]:
    """Orders in every state: delivered (with returns), cancelled, declined, out of stock, partly refunded, pending."""
    orders = [
        placed(),
        placed({"MUG": 1}, buyer="B-2"),
        placed(method="pm_card_chargeDeclined"),
        placed({"RELIC": 1}),
        placed({"LAMP": 2}, buyer="B-3"),
    ]
    for buyer in ("B-1", "B-2"):
        change_profile(BuyerId(buyer), {"name": "Ada"})
    drain()
    catch_up_all()
    fulfillment.dispatch_shipment(ShipmentId(f"S{orders[0][1:]}-1"), "DHL", "1")
    cancel_order(orders[1], CancellationReason.BY_BUYER)
    drain()
    fulfillment.deliver_shipment(ShipmentId(f"S{orders[0][1:]}-1"))
    drain()
    _request_returns(orders[0])
    billing.refund_in_part(invoice_of(orders[4]), Money("9.50", "USD"), "scratched")
    drain()
    orders.append(placed({"MUG": 3}))
    catch_up_all()
    return orders


def _request_returns(order: OrderNumber) -> None:
    for sku in ("MUG", "LAMP"):
        fulfillment.request_return(order, [(Sku(sku), 1, ReturnReason.DAMAGED)])


def all_rows(name: str) -> list[Any]:
    model = read_models.get(name).rows
    columns = [field.name for field in model._meta.concrete_fields if field.name not in model.of_the_build]
    return sorted(map(repr, model.objects.values_list(*columns)))


def run(command: str, *args: str, **options: Any) -> str:
    output = StringIO()
    call_command(command, *args, stdout=output, stderr=StringIO(), **options)
    return output.getvalue()


# --- What read models show ---


@pytest.mark.django_db
def test_the_order_board_equals_the_orders(at_work: list[OrderNumber]) -> None:
    board = {row.number: row for row in OrderBoard.objects.all()}
    assert set(board) == set(at_work)
    for order in Order.objects.all():
        Order.load_parts([order])
        row = board[OrderNumber(order.number)]
        for name in ("status", "cancellation_reason", "payment_status", "total", "paid", "refunded", "shipments"):
            assert getattr(row, name) == getattr(order, name), (order, name)
        assert row.shown_lines == order.shown_lines
        assert (row.version, row.updated_at) == (order.version, order.updated_at)
    assert board[at_work[0]].shipment_status == "delivered"


@pytest.mark.django_db
def test_sales_are_confirmed_lines_without_cancelled_ones(at_work: list[OrderNumber]) -> None:
    sold = {row.sku: (row.orders, row.quantity, row.amount_minor) for row in SalesOfDay.objects.all()}
    assert sold == {"MUG": (1, 2, 2_500), "LAMP": (2, 3, 24_000)}


@pytest.mark.django_db
def test_a_cancellation_reduces_the_sales_of_the_day_of_the_order(
    placed: Place, drain: Drain, later: Callable[[timedelta], None]
) -> None:
    confirmed, cancelled, changed = placed({"MUG": 1}), placed({"MUG": 5}), placed({"MUG": 4})
    drain()
    catch_up_all()
    assert SalesOfDay.objects.get().quantity == 10
    later(timedelta(days=3))
    cancel_order(cancelled, CancellationReason.BY_BUYER)
    for units in (1, 2):
        cancel_lines(changed, [(Sku("MUG"), units)], CancellationReason.BY_BUYER)
    drain()
    catch_up_all()
    sale = SalesOfDay.objects.get()
    assert (sale.quantity, sale.orders, sale.amount_minor) == (2, 2, 2_500)
    cancel_lines(changed, [(Sku("MUG"), 1)], CancellationReason.BY_BUYER)
    drain()
    catch_up_all()

    sale = SalesOfDay.objects.get()
    assert (sale.quantity, sale.orders, sale.day) == (1, 1, Order.objects.get(pk=confirmed).created_at.date())
    assert differences(read_models.get(SalesOfDay.read_model)) == []


@pytest.mark.django_db
def test_lifetime_spend_equals_the_spend_of_the_buyers(at_work: list[OrderNumber]) -> None:
    spent = {row.buyer: row.spend for row in LifetimeSpend.objects.all()}
    assert spent == {buyer.id: buyer.spend for buyer in Buyer.objects.all() if buyer.spend}


# --- Each event is applied once ---


@pytest.mark.django_db
def test_catching_up_again_changes_nothing(at_work: list[OrderNumber]) -> None:
    before = {name: all_rows(name) for name in ALL}
    for _ in range(3):
        catch_up_all()
    assert {name: all_rows(name) for name in ALL} == before


@pytest.mark.django_db
@pytest.mark.parametrize("name", [OrderBoard.read_model, StockOfDay.read_model])
def test_rows_that_show_an_aggregate_ignore_events_already_applied(at_work: list[OrderNumber], name: str) -> None:
    before = all_rows(name)
    ReadModelBuild.objects.filter(read_model=name).update(mark=0)  # as if it had read nothing
    catch_up_all()
    assert all_rows(name) == before


@pytest.mark.django_db
def test_a_failed_batch_is_rolled_back_as_a_whole(placed: Place, drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    placed()
    drain()
    with monkeypatch.context() as patch:
        patch.setattr("integration.read_models.catch_up._save_position", lambda *args: 1 / 0)
        catch_up_all()
        assert {len(all_rows(name)) for name in ALL} == {0}
        assert {each.error for each in lag()} == {"ZeroDivisionError: division by zero"}
        assert "ZeroDivisionError" in run("read_models")
    catch_up_all()
    assert [found for model in ALL for found in differences(read_models.get(model))] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("failure", "error"),
    [(ValueError("no sign"), "ValueError: no sign"), (OperationalError("too slow"), "")],
    ids=["a bug, recorded in the build", "a passing database error"],
)
def test_a_failing_read_model_does_not_stop_the_others(
    placed: Place, drain: Drain, monkeypatch: pytest.MonkeyPatch, failure: Exception, error: str
) -> None:
    tried: list[HistoryEntry] = []

    def fail(entry: HistoryEntry) -> int:
        tried.append(entry)
        raise failure

    placed()
    drain()
    with monkeypatch.context() as patch:
        patch.setattr("ordering.queries.sales._sold", fail)
        catch_up_all()
        assert len(tried) == 2  # once together with the others, once alone
        catch_up_all()
        assert len(tried) == 3
    late = {each.read_model: each for each in lag()}
    assert late.pop(SalesOfDay.read_model).error == error
    assert {(each.events, each.error) for each in late.values()} == {(0, "")}
    assert (OrderBoard.objects.count(), SalesOfDay.objects.count()) == (1, 0)
    placed()  # now the read models are at different positions
    drain()
    catch_up_all()
    assert {(each.events, each.error) for each in lag()} == {(0, "")}
    assert [found for model in ALL for found in differences(read_models.get(model))] == []


@pytest.mark.django_db
def test_read_models_of_a_context_read_their_events_once(
    at_work: list[OrderNumber], placed: Place, drain: Drain, statements: Callable[..., Any]
) -> None:
    placed()
    drain()
    with statements() as seen:
        catch_up_context("ordering")
    # Three queries: which read models are behind, the new events, and the ordered lines for the sales.
    assert len([sql for sql in seen if "ordering_history" in sql]) == 3


@pytest.mark.django_db
def test_beat_catches_up_all_read_models(placed: Place) -> None:
    placed()
    assert {each.events for each in lag()} != {0}
    run_routine("integration.follow-read-models")
    assert OrderBoard.objects.count() == 1
    assert {each.events for each in lag()} == {0}


# --- Lag ---


@pytest.mark.django_db
def test_lag_is_events_and_seconds_in_one_query(
    at_work: list[OrderNumber], placed: Place, later: Callable[[timedelta], None], statements: Callable[..., Any]
) -> None:
    assert {(each.events, each.seconds) for each in lag()} == {(0, 0.0)}
    placed(buyer="B-9")  # registers a buyer, and places an order
    later(timedelta(seconds=90))
    with statements() as seen:
        late = {each.read_model: each for each in lag()}
    assert len(seen) == 1
    assert {name: late[name].events for name in ALL} == {name: 2 * name.startswith("ordering.") for name in ALL}
    assert 90 <= late[OrderBoard.read_model].seconds < 95
    assert "ordering.order-board" in run("read_models")
    catch_up_context("ordering")
    assert {each.events for each in lag()} == {0}


# --- Rebuilding ---


@pytest.mark.django_db
@pytest.mark.parametrize("name", ALL)
def test_a_rebuilt_read_model_equals_the_live_one(at_work: list[OrderNumber], name: str) -> None:
    before = all_rows(name)
    assert before
    progress: list[int] = []
    rebuild(read_models.get(name), progress.append)
    assert all_rows(name) == before
    assert progress[-1] == rebuilding.events_to_read(read_models.get(name))
    assert ReadModelBuild.objects.get(read_model=name).ready
    assert read_models.get(name).rows.of_all_builds.count() == len(before)


@pytest.mark.django_db
def test_check_reports_wrong_rows_and_rebuild_repairs_them(at_work: list[OrderNumber]) -> None:
    right = all_rows(OrderBoard.read_model)
    OrderBoard.objects.filter(number=at_work[0]).update(status="pending")
    OrderBoard.objects.filter(number=at_work[1]).delete()
    with pytest.raises(CommandError, match="3 differences"):
        run("rebuild", "ordering.order-board", check=True)
    assert len(all_rows(OrderBoard.read_model)) == len(right) - 1
    assert "6 rows" in run("rebuild", "ordering.order-board")
    assert all_rows(OrderBoard.read_model) == right
    assert "matches its history" in run("rebuild", "ordering.order-board", check=True)


@pytest.mark.django_db
def test_an_interrupted_rebuild_leaves_the_live_build_unchanged_and_the_next_one_starts_again(
    at_work: list[OrderNumber], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: all_rows(name) for name in ALL}
    with monkeypatch.context() as patch:
        patch.setattr(rebuilding, "_catch_up", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            rebuild(read_models.get(OrderBoard.read_model))
    assert OrderBoard.of_all_builds.count() == 2 * len(at_work)
    assert {name: all_rows(name) for name in ALL} == before
    catch_up_all()
    run("rebuild", all=True)
    assert {name: all_rows(name) for name in ALL} == before
    assert OrderBoard.of_all_builds.count() == len(at_work)
    assert ReadModelBuild.objects.count() == len(ALL)


def _interrupt(*args: Any) -> int:
    raise KeyboardInterrupt


@pytest.mark.django_db
def test_of_two_concurrent_rebuilds_the_second_wins(at_work: list[OrderNumber]) -> None:
    model = read_models.get(OrderBoard.read_model)
    before = all_rows(model.name)

    def begin_another(applied: int) -> None:
        if not begun:
            begun.append(applied)
            rebuild(model)

    begun: list[int] = []
    with pytest.raises(RebuiltByAnother):
        rebuild(model, begin_another)
    assert all_rows(model.name) == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("args", "message"),
    [((), "Specify a NAME"), (("ordering.order-bored",), "No read model is named 'ordering.order-bored'")],
)
def test_a_wrong_name_lists_the_read_models(args: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message) as error:
        run("rebuild", *args)
    assert all(name in str(error.value) for name in ALL)


@pytest.mark.django_db
def test_verify_reports_wrong_rows_of_read_models(at_work: list[OrderNumber]) -> None:
    def offenders() -> dict[str, int]:
        found = verify(["read_models."])
        assert all(finding.looked_at for finding in found.values())
        return {name.partition(".")[2]: len(finding.offenders) for name, finding in found.items() if finding.offenders}

    assert offenders() == {}
    OrderBoard.objects.filter(number=at_work[0]).update(paid_minor=1)
    OrderBoard.objects.filter(number=at_work[1]).delete()
    SalesOfDay.objects.filter(sku="MUG").update(quantity=7)
    LifetimeSpend.objects.filter(buyer="B-1").delete()
    StockOfDay.objects.filter(sku="MUG").update(reserved=77)
    assert offenders() == {
        "order_board_is_the_orders": 2,
        "sales_are_what_was_ordered": 1,
        "lifetime_spend_is_what_buyers_spent": 1,
        "stock_per_day_is_the_stock": 1,
        "each_day_of_stock_is_its_movements": 1,
    }


@pytest.mark.django_db
def test_verify_ignores_rows_that_are_only_behind(at_work: list[OrderNumber], placed: Place, drain: Drain) -> None:
    placed()
    drain()
    assert [what for finding in verify(["read_models."]).values() for what in finding.offenders] == []


# --- While the system runs ---


@pytest.mark.django_db(transaction=True)
def test_a_rebuild_during_new_orders_equals_the_live_read_model(
    for_threads: None, placed: Place, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.read_models.catch_up.BATCH", 5)
    orders = [placed(), *(placed({"MUG": 1}) for _ in range(4))]
    change_profile(BuyerId("B-1"), {"name": "Ada"})
    drain()
    fulfillment.dispatch_shipment(ShipmentId(f"S{orders[0][1:]}-1"), "DHL", "1")
    _request_returns(orders[0])
    drain()
    catch_up_all()
    over = threading.Event()
    failures: list[BaseException] = []

    def keep_placing() -> None:
        try:
            while not over.is_set():
                placed({"MUG": 1}, buyer="B-2")
                drain()
                catch_up_all()
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=keep_placing)
    thread.start()
    try:
        for name in ALL * 2:
            rebuild(read_models.get(name))
            catch_up(name)
            assert len(all_rows(name)) > 0
    finally:
        over.set()
        thread.join(120)
    catch_up_all()

    assert failures == []
    assert OrderBoard.objects.count() == Order.objects.count() > 5
    assert [what for name in ALL for what in differences(read_models.get(name))] == []
    assert [what for finding in verify(["read_models."]).values() for what in finding.offenders] == []


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.django_db
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("portions", [0, 1])
def test_a_rebuild_that_is_killed_while_it_deletes_leaves_no_rows_to_the_next(
    at_work: list[OrderNumber], placed: Place, monkeypatch: pytest.MonkeyPatch, name: str, portions: int
) -> None:
    with clock.moved(timedelta(hours=1)):
        placed()  # so that each read model has two rows
    catch_up_all()
    model, left = read_models.get(name), [None] * portions
    monkeypatch.setattr("integration.read_models.builds.ROWS_AT_ONCE", 1)
    raw_delete = QuerySet._raw_delete

    def killed_soon(self: Any, using: Any) -> int:
        if self.model is model.rows:
            if not left:
                raise Killed
            left.pop()
        return raw_delete(self, using)

    monkeypatch.setattr(QuerySet, "_raw_delete", killed_soon)
    with pytest.raises(Killed):
        rebuild(model)
    monkeypatch.setattr(QuerySet, "_raw_delete", raw_delete)
    assert verify(["read_models."])["read_models.every_row_has_a_build"].complaints == []
    rebuild(model)
    builds = {each.pk for each in ReadModelBuild.objects.filter(read_model=name)}
    assert {*model.rows.of_all_builds.values_list("build", flat=True)} <= builds
    assert len(builds) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("name", ALL)
def test_rows_without_a_build_are_named_and_deleted_by_the_next_rebuild(at_work: list[OrderNumber], name: str) -> None:
    model = read_models.get(name)
    assert model.rows.of_all_builds.update(build=77) > 0
    (offender,) = verify(["read_models."])["read_models.every_row_has_a_build"].offenders
    assert name in offender
    assert "of build 77" in offender
    rebuild(model)
    assert not model.rows.of_all_builds.filter(build=77).exists()
    assert verify(["read_models."])["read_models.every_row_has_a_build"].complaints == []


@pytest.mark.django_db
@pytest.mark.parametrize("work", [rebuild, differences])
def test_a_rebuild_ends_although_events_are_recorded_all_the_time(
    at_work: list[OrderNumber], monkeypatch: pytest.MonkeyPatch, work: Callable[..., Any]
) -> None:
    """Whenever a batch is read, another order has just been placed."""
    model, calls = read_models.get(OrderBoard.read_model), []

    def busy(locked: Any, *arguments: Any, **options: Any) -> int:
        calls.append(1)
        assert len(calls) < 30, "it does not end"
        number = OrderNumber(f"R-{5_000 + len(calls)}")
        History.objects.create(**{**placing, "id": new_event_id(), "stream_id": number, "data": _of(number)})
        return apply_next(locked, *arguments, **options)

    first = History.objects.filter(name="ordering.order_placed").first()
    placing = {field.attname: getattr(first, field.attname) for field in History._meta.concrete_fields}

    def _of(number: OrderNumber) -> dict[str, Any]:
        return {**first.data, "order": number}

    monkeypatch.setattr(rebuilding, "apply_next", busy)
    assert work(model) in (None, [])


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite there is one writer anyway")
@pytest.mark.django_db(transaction=True)
def test_a_locked_table_delays_only_its_own_read_model(placed: Place, drain: Drain) -> None:
    def catch_up() -> None:
        catch_up_context("ordering")
        connections.close_all()

    catch_up_all()
    placed()
    drain()
    reader = threading.Thread(target=catch_up)
    with transaction.atomic():
        with connection.cursor() as cursor:  # the lock that a migration holds while it creates an index
            cursor.execute(f"LOCK TABLE {SalesOfDay._meta.db_table} IN SHARE MODE")
        reader.start()
        give_up_at = time.monotonic() + 120
        while OrderBoard.objects.count() + LifetimeSpend.objects.count() < 2:
            assert time.monotonic() < give_up_at, lag()
            time.sleep(0.01)
        assert not SalesOfDay.objects.exists()
    reader.join(120)
    assert SalesOfDay.objects.exists()


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite there is one writer anyway")
@pytest.mark.django_db(transaction=True)
def test_a_locked_build_is_skipped_by_workers_and_waited_for_briefly_by_requests(placed: Place, drain: Drain) -> None:
    placed()
    catch_up_all()
    model = read_models.get(OrderBoard.read_model)
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            build = lock_own(model)
            assert build
            locked.set()
            release.wait(120)
            apply_next([LockedBuild(model, build)])
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(120)
    placed()
    catch_up_context("ordering")
    assert OrderBoard.objects.count() == 1
    catch_up(model.name)  # waits half a second for the lock
    assert OrderBoard.objects.count() == 1
    threading.Timer(0.1, release.set).start()
    catch_up(model.name)
    assert OrderBoard.objects.count() == 2
    thread.join(120)
