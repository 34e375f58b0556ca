"""A message without a row in its state table is found by a system check, before a worker meets it."""

from typing import ClassVar

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import models
from django.test.utils import isolate_apps

from integration.aggregates.aggregate import Aggregate
from integration.aggregates.checks import every_message_is_a_row, messages_without_row
from integration.domain.states import STAY, StateTable, by_state

TABLES = {model.__name__: model.life for model in apps.get_models() if issubclass(model, Aggregate) and model.life}
ROWS = [(name, message) for name, table in TABLES.items() for message in table.messages]


class Light(models.TextChoices):
    """The one state of the planted aggregates."""

    ON = "on"


LIFE = StateTable(Light, {"dim": by_state(Light)(STAY)})


def test_every_message_has_its_row() -> None:
    assert every_message_is_a_row(None) == []


def test_the_check_runs_with_djangos_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(TABLES["Order"].messages, "confirm")

    assert [error.id for error in run_checks()] == ["waybill.E011"]


@pytest.mark.parametrize(("name", "message"), ROWS)
def test_a_missing_row_is_reported(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(TABLES[name].messages, message)

    [error] = every_message_is_a_row(None)

    assert (error.id, repr(message) in error.msg) == ("waybill.E011", True)


@isolate_apps("inventory")
def test_each_message_that_a_planted_aggregate_sends_is_found() -> None:
    class Lamp(Aggregate):
        life = LIFE

        class Meta:
            app_label = "inventory"

        def __str__(self) -> str:
            return "a lamp"

        def dim(self) -> bool:
            return self.accepts("dim")

        def switch(self) -> bool:
            return self.accepts("switch")

        def break_down(self) -> bool:
            return self._through_two("reason", "break")

        def _through_two(self, reason: str, message: str) -> bool:
            return self._through_one(message)

        def _through_one(self, message: str) -> bool:
            return self.accepts(message)

        def burn(self, bright: bool) -> bool:
            message = "glare" if bright else "glow"
            return self.accepts(message)

        def flash(self) -> bool:
            return self.accepts(self._message())

        def _message(self) -> str:
            if self.pk:
                return "flash"
            return "blink"

        def shine(self, color: str) -> bool:
            return self.accepts(self.colors[color])

        colors: ClassVar[dict[str, str]] = {"red": "shine_red"}

    missing = ["blink", "break", "flash", "glare", "glow", "shine_red", "switch"]
    assert messages_without_row(Lamp) == missing


@isolate_apps("inventory")
def test_a_message_to_an_aggregate_without_a_table_is_found() -> None:
    class Stone(Aggregate):
        class Meta:
            app_label = "inventory"

        def __str__(self) -> str:
            return "a stone"

        def roll(self) -> bool:
            return self.accepts("roll")

    assert messages_without_row(Stone) == ["roll"]
