"""What storage would write wrongly, it refuses: unknown field types, and values that JSON has not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.test.utils import isolate_apps

from integration.aggregates.aggregate import Aggregate
from integration.domain import clock
from integration.messaging.models import Message
from integration.storage.columns import CurrencyField
from integration.storage.known import CannotStore, json_attributes, known_fields
from integration.storage.reading import read
from integration.storage.rows import blank, columns_of
from integration.storage.writing import Insert, Update, Upsert, write

UNKNOWN = [
    models.BinaryField(),
    models.DecimalField(max_digits=9, decimal_places=2),
    models.DurationField(),
    models.FloatField(),
    models.GenericIPAddressField(),
    models.TimeField(),
    models.FileField(),
    models.JSONField(encoder=DjangoJSONEncoder),
]


class Shouting(models.CharField):
    """A field that converts its values."""

    def get_prep_value(self, value: Any) -> Any:
        return str(value).upper()


@pytest.fixture
def strange() -> Iterator[Any]:
    """Make a model with a column of a field: `strange(models.FloatField())`."""
    with isolate_apps("integration"):

        def make(field: Any) -> type[models.Model]:
            meta = type("Meta", (), {"app_label": "integration"})
            names = {"id": models.BigAutoField(primary_key=True), "strange": field.clone(), "Meta": meta}
            return type("Strange", (models.Model,), {**names, "__module__": __name__})

        yield make


@pytest.mark.django_db
@pytest.mark.parametrize("field", [*UNKNOWN, Shouting(max_length=9)], ids=lambda field: type(field).__name__)
def test_a_field_of_unknown_type_is_neither_written_nor_read(strange: Any, field: Any) -> None:
    model = strange(field)
    row = {"id": 1, "strange": None}
    for action in (
        lambda: write({Insert(model): [row]}),
        lambda: write({Update(model, columns_of(model)): [row]}),
        lambda: write({Upsert(model, ("id",)): [row]}),
        lambda: read(model, "id", [1]),
    ):
        with pytest.raises(CannotStore, match=rf"integration\.Strange\.strange: .* know {type(field).__name__}$"):
            action()


def test_every_column_of_an_aggregate_has_a_known_type() -> None:
    ours = [model for model in apps.get_models() if issubclass(model, Aggregate)]
    assert len(ours) > 5
    assert all(known_fields(model) for model in ours)


def message(data: Any) -> dict[str, Any]:
    return {
        **blank(Message),
        "id": uuid4(),
        "name": "billing.payment_succeeded",
        "version": 1,
        "data": data,
        "occurred_at": clock.now(),
        "correlation_id": uuid4(),
        "actor": "system",
        "addressed_to": 0,
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        Decimal("1.10"),
        datetime(2026, 1, 1, tzinfo=UTC),
        timedelta(seconds=1),
        UUID(int=7),
        b"bytes",
        {1, 2},
        {("a", "pair"): "a key that is no text"},
    ],
    ids=repr,
)
def test_a_value_that_json_has_not_is_refused(value: Any) -> None:
    assert json_attributes(Message) == ("data",)
    with pytest.raises(CannotStore):
        write({Insert(Message): [message({"deep": [{"inside": value}]})]})
    assert not Message.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("value", [2**70, -(2**70), 0.1, -0.5, True, None, "", [], {}, [[{"a": [1]}]]], ids=repr)
def test_a_value_that_json_has_is_read_as_it_was_written(value: Any) -> None:
    row = message({"value": value})
    write({Insert(Message): [row]})
    (stored,) = read(Message, "id", [row["id"]])
    assert stored.data == {"value": value}
    assert type(stored.data["value"]) is type(value)


def test_a_currency_has_three_letters() -> None:
    assert CurrencyField().max_length == 3
