"""Poison a consumer, break the connection to the payment provider, and move the clock, in the processes of a system.

The code that suffers it knows nothing of it. The faults of the provider and the clock are switched on by files in the
folder that `SABOTAGE` names, so that they need no restart. The poisoned consumer always listens: only orders with a
payment method of its own make it fail.
"""

import os
import random
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.apps import AppConfig

POISON, POISON_THAT_KILLS = "pm_card_mastercard", "pm_card_amex"
"""The payment methods at which the poisoned consumer fails, and at which it kills its process."""
CONSUMER = "inventory.choke"


class Choked(Exception):
    """A handler that never succeeds."""


class Sabotage(AppConfig):
    """Patches the processes that load it."""

    name = "tests.chaos.sabotage"
    label = "sabotage"

    def ready(self) -> None:
        folder = Path(os.environ["SABOTAGE"])
        poison()
        provider(folder / "provider")
        clock(folder / "clock")


def poison() -> None:
    """Register a consumer that fails at every attempt for some messages, and kills its process for others."""
    from integration import contracts
    from integration.policies import whenever

    @whenever(contracts.ordering.OrderPlaced, name=CONSUMER)
    def choke(event: contracts.ordering.OrderPlaced) -> None:
        if event.payment_method == POISON:
            raise Choked(event.order)
        if event.payment_method == POISON_THAT_KILLS:
            os.kill(os.getpid(), signal.SIGKILL)


def provider(switch: Path) -> None:
    """While the file exists, lose the connection before one charge in ten, and after three in ten."""
    from billing.gateways import OutcomeUnknown
    from billing.gateways.sandbox.adapter import SandboxProvider

    charge = SandboxProvider.charge

    def charge_and_lose_some(self: SandboxProvider, key: str, *args: Any, **options: Any) -> Any:
        chance = random.random() if switch.exists() else 1.0
        if chance < 0.1:
            raise OutcomeUnknown("the connection broke before the provider received the request")
        outcome = charge(self, key, *args, **options)
        if chance < 0.4:
            raise OutcomeUnknown("the connection broke after the provider had charged")
        return outcome

    SandboxProvider.charge = charge_and_lose_some  # type: ignore[method-assign]


def clock(switch: Path) -> None:
    """Let the clock be wrong by the seconds that the file says; right without the file."""
    from integration.domain import clock as the_clock

    def now() -> datetime:
        try:
            wrong_by = float(switch.read_text() or 0)
        except (FileNotFoundError, ValueError):
            wrong_by = 0
        return datetime.now(UTC) + timedelta(seconds=wrong_by)

    the_clock.now = now
