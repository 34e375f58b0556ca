"""The payer's name and address are stored with the books until their time has passed, even if the buyer is erased."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import Settings

from billing.commands import forget_payers
from billing.models import Payer
from config.verification import verify
from integration.domain.address import Address
from integration.domain.identifiers import OrderNumber


@pytest.mark.django_db
def test_payers_of_confirmed_orders_are_stored_for_ten_years(
    placed: Callable[..., OrderNumber],
    drain: Callable[..., int],
    later: Callable[[timedelta], None],
    address: Address,
    settings: Settings,
) -> None:
    number = placed()
    placed(method="pm_card_chargeDeclined")
    drain()

    payer = Payer.objects.get()
    assert (payer.order, payer.lines[0], str(payer)) == (number, address.recipient, f"payer of {number}")
    assert len(payer.lines) == 4
    assert forget_payers() == 0
    assert [name for name, found in verify().items() if found.offenders] == []
    later(settings.INVOICE_RETENTION + timedelta(days=1))
    assert forget_payers() == 1
    assert not Payer.objects.exists()
