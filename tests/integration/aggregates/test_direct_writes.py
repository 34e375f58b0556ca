"""Writing the row of an aggregate or a part without an event raises, with what to do instead."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.forms import modelform_factory

from integration.aggregates.aggregate import Aggregate, Part
from integration.aggregates.direct_writes import BypassesHistory, bypassing_history
from integration.aggregates.unit_of_work import unit_of_work
from inventory.commands import receive_stock
from inventory.models import StockItem
from ordering.models import Order, OrderLine, Product


@pytest.fixture
def all_rows() -> Callable[[], object]:
    """Reads every row of every aggregate and part."""
    return lambda: [list(model.objects.order_by("pk").values_list()) for model in GUARDED]


GUARDED = [model for model in apps.get_models() if issubclass(model, Aggregate | Part)]

WAYS: dict[str, Callable[[Any], object]] = {
    "save": lambda row: row.save(),
    "save one field": lambda row: row.save(update_fields=["id"]),
    "delete": lambda row: row.delete(),
    "create": lambda row: type(row).objects.create(),
    "get_or_create": lambda row: type(row).objects.get_or_create(
        pk="Z-9" if row.pk != 0 and type(row.pk) is str else 0
    ),
    "update_or_create": lambda row: type(row).objects.update_or_create(pk=row.pk, defaults={}),
    "update": lambda row: type(row).objects.update(pk=row.pk),
    "update some": lambda row: type(row).objects.filter(pk=row.pk).order_by().update(pk=row.pk),
    "delete all": lambda row: type(row).objects.all().delete(),
    "bulk_create": lambda row: type(row).objects.bulk_create([row]),
    "upsert": lambda row: type(row).objects.bulk_create([row], ignore_conflicts=True),
    "bulk_update": lambda row: type(row).objects.bulk_update([row], ["updated_at"]),
    "default manager": lambda row: type(row)._default_manager.update(pk=row.pk),
    "base manager": lambda row: type(row)._base_manager.filter(pk=row.pk).delete(),
    "asave": lambda row: asyncio.run(row.asave()),
    "aupdate": lambda row: asyncio.run(type(row).objects.aupdate(pk=row.pk)),
    "adelete": lambda row: asyncio.run(type(row).objects.all().adelete()),
}


def test_all_aggregates_and_parts_are_guarded() -> None:
    assert {Order, OrderLine, StockItem, Product} < set(GUARDED)
    assert len(GUARDED) >= 13


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_django_to_write_raises(
    placed: Callable[..., Any], drain: Callable[..., int], all_rows: Callable[[], object], way: str
) -> None:
    placed()
    drain()
    before = all_rows()
    for model in GUARDED:
        with pytest.raises(BypassesHistory, match=r"Inside `with unit_of_work\(\) as work:`"):
            WAYS[way](model.objects.first() or model())
    assert all_rows() == before


def test_relations_raise(placed: Callable[..., Any]) -> None:
    order, another = Order.objects.get(pk=placed()), Order.objects.get(pk=placed({"ATLAS": 1}))
    (line,) = another.lines
    for write in (
        lambda: order.line_rows.add(line),
        lambda: order.line_rows.create(sku="MUG"),
        lambda: order.line_rows.update(quantity=1),
        lambda: order.line_rows.all().delete(),
        lambda: order.line_rows.set([line]),
    ):
        with pytest.raises(BypassesHistory):
            write()
    assert len(Order.objects.get(pk=order.pk).lines) == 2


def test_a_form_of_a_model_raises(shop: object) -> None:
    form = modelform_factory(Product, fields=["name"])({"name": "Cup"}, instance=Product.objects.get(pk="MUG"))
    assert form.is_valid(), form.errors
    with pytest.raises(BypassesHistory, match=r"^save\(\) would write Product without an event"):
        form.save()
    assert Product.objects.get(pk="MUG").name == "Mug"


def test_writing_directly_inside_a_unit_of_work_raises_and_rolls_back(shop: object) -> None:
    def receive_and_save() -> None:
        with unit_of_work() as work:
            item = work.get(StockItem, "MUG")
            item.receive(5, "R-1")
            item.save()

    with pytest.raises(BypassesHistory):
        receive_and_save()
    assert StockItem.objects.get(pk="MUG").on_hand == 100


def test_repairs_have_a_named_way_which_ends_with_its_block(shop: object) -> None:
    with bypassing_history():
        StockItem.objects.filter(pk="MUG").update(on_hand=7)
    assert StockItem.objects.get(pk="MUG").on_hand == 7
    with pytest.raises(BypassesHistory):
        StockItem.objects.filter(pk="MUG").update(on_hand=8)


def test_fixtures_are_stored_as_they_are(shop: object) -> None:
    fixture = serializers.serialize("json", StockItem.objects.filter(pk="MUG"))
    receive_stock("MUG", 5, "R-1")
    for row in serializers.deserialize("json", fixture):
        row.save()
    assert StockItem.objects.get(pk="MUG").on_hand == 100


def test_models_of_migrations_are_not_guarded(shop: object) -> None:
    historical = MigrationLoader(connection).project_state().apps.get_model("inventory", "StockItem")
    historical.objects.filter(pk="MUG").update(on_hand=7)
    historical.objects.get(pk="MUG").save()
    assert StockItem.objects.get(pk="MUG").on_hand == 7
