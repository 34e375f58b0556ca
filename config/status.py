"""How the system is right now: what flows, what waits, and what needs a person."""

from typing import Any, NamedTuple

from django.db.models import Count

from billing.models import Payment
from billing.models.payment import PaymentStatus
from integration.domain import clock
from integration.messaging.heartbeat import SWEEP, last_heartbeat
from integration.messaging.standing import Standing, standings
from integration.read_models.lag import Lag, lag
from integration.read_models.late import LATE
from integration.rest.degraded import SILENT_AFTER
from ordering.models import Order
from ordering.models.order_states import OrderStatus

OLD = 60.0
"""Seconds after which a delivery that is due and not handled needs a person."""


class SystemStatus(NamedTuple):
    """What the database says.

    Args:
        orders: the number of orders by state.
        consumers: the standing of every consumer.
        read_models: how far each read model is behind.
        swept: seconds since the last sweep; None if there was none.
        unknown: payments with an unknown outcome.
    """

    orders: dict[str, int]
    consumers: list[Standing]
    read_models: list[Lag]
    swept: float | None
    unknown: int

    @property
    def complaints(self) -> list[str]:
        """What needs a person, as sentences; empty if all is well."""
        found = []
        if self.swept is None or self.swept > SILENT_AFTER.total_seconds():
            since = "yet" if self.swept is None else f"for {self.swept:,.0f} s"
            found.append(f"no sweep has run {since}: beat is silent, or no worker consumes the queue of integration")
        for each in self.consumers:
            if each.state.is_paused:
                found.append(f"consumer {each.name} is paused")
            if each.backlog.dead:
                found.append(f"consumer {each.name} has {each.backlog.dead:,} dead letters")
            if each.backlog.lag > OLD:
                found.append(f"consumer {each.name} has been late for {each.backlog.lag:,.0f} s")
        for model in self.read_models:
            if model.error:
                found.append(f"read model {model.read_model} has stopped")
            elif model.seconds > LATE.total_seconds():
                found.append(f"read model {model.read_model} is {model.seconds:,.0f} s behind")
        return found

    def as_data(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "complaints": self.complaints,
            "orders": self.orders,
            "consumers": [
                {
                    "consumer": each.name,
                    "due": each.backlog.pending,
                    "waiting": each.backlog.waiting,
                    "dead": each.backlog.dead,
                    "oldest_seconds": round(each.oldest, 3),
                    "paused": each.state.is_paused,
                }
                for each in self.consumers
            ],
            "read_models": [
                {"read_model": each.read_model, "events_behind": each.events, "seconds_behind": round(each.seconds, 3)}
                for each in self.read_models
            ],
            "sweep_seconds_ago": self.swept,
            "payments_unknown": self.unknown,
        }


def system_status() -> SystemStatus:
    """Read the status; a few queries, which lock nothing."""
    last = last_heartbeat(SWEEP)
    found = dict(Order.objects.order_by().values_list("status").annotate(Count("pk")))
    return SystemStatus(
        orders={status.name.lower(): found.get(status.value, 0) for status in OrderStatus},
        consumers=standings(),
        read_models=lag(),
        swept=(clock.now() - last).total_seconds() if last else None,
        unknown=Payment.objects.filter(status=PaymentStatus.UNKNOWN).count(),
    )
