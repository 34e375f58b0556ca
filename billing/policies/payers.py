"""An invoice must name the customer, so billing keeps the payer's name and address until the books may go."""

from datetime import timedelta

from billing import commands
from integration import contracts
from integration.policies import every, whenever


def prepare_nothing(named: object) -> None:
    """Each payer is a row of its own that nobody locks."""


@whenever(contracts.ordering.PayerNamed, name="billing.record-payer", prepare=prepare_nothing)
def record_payer(event: contracts.ordering.PayerNamed) -> None:
    commands.record_payer(event.order, event.payer)


@every(timedelta(days=1), name="billing.forget-payers")
def forget_payers() -> None:
    commands.forget_payers()
