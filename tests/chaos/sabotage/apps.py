"""Poisons a consumer, cuts the provider's line and moves the clock; none of it is known to the code that suffers it."""

import os
import random
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.apps import AppConfig

POISON, POISON_THAT_KILLS = "pm_card_mastercard", "pm_card_amex"
"""Ordering with one of these is what the poisoned consumer chokes on, or dies of."""
CONSUMER = "inventory.choke"


class Choked(Exception):
    """A handler that will never succeed."""


class Sabotage(AppConfig):
    """In which way a house is sabotaged, its environment says; how badly, files that can change while it runs."""

    name = "tests.chaos.sabotage"
    label = "sabotage"

    def ready(self) -> None:
        for kind in os.environ["SABOTAGE_KINDS"].split():
            globals()[kind]()


def poison() -> None:
    """Register a consumer that fails for ever at some messages, and takes its worker along at others."""
    from integration import contracts
    from integration.policies import whenever

    @whenever(contracts.ordering.OrderPlaced, name=CONSUMER)
    def choke(event: contracts.ordering.OrderPlaced) -> None:
        if event.payment_method == POISON:
            raise Choked(event.order)
        if event.payment_method == POISON_THAT_KILLS:
            os.kill(os.getpid(), signal.SIGKILL)


def provider() -> None:
    """Cut the line to the provider: before it charged for one in ten, after it for three in ten."""
    from billing.gateways import OutcomeUnknown
    from billing.gateways.sandbox.adapter import SandboxProvider

    charge = SandboxProvider.charge

    def charge_on_a_bad_day(self: SandboxProvider, key: str, *args: Any) -> Any:
        luck = random.random()
        if luck < 0.1:
            raise OutcomeUnknown("cut before the provider heard of it")
        outcome = charge(self, key, *args)
        if luck < 0.4:
            raise OutcomeUnknown("cut after the provider had charged")
        return outcome

    SandboxProvider.charge = charge_on_a_bad_day  # type: ignore[method-assign]


def clock() -> None:
    """Let the machine's clock be as wrong as the file `clock` says, in seconds."""
    from integration.domain import clock as the_clock

    file = Path(os.environ["SABOTAGE"]) / "clock"

    def now() -> datetime:
        try:
            wrong_by = float(file.read_text() or 0)
        except (FileNotFoundError, ValueError):
            wrong_by = 0
        return datetime.now(UTC) + timedelta(seconds=wrong_by)

    the_clock.now = now
