"""Commands with which operators note something on an order, or correct its address before its goods leave."""

from collections.abc import Collection

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.address import Address
from integration.domain.identifiers import OrderNumber
from ordering.models import Order


def add_note(number: OrderNumber, text: str) -> Order:
    """Write a note on an order, for other operators. It is erased with the buyer.

    Raises:
        NotFound: there is no such order.
        OrderIsErased: the personal data of the order is erased.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.add_note(text)
    return order


def correct_address(
    number: OrderNumber, address: Address, reason: str, if_version: Collection[int] | None = None
) -> Order:
    """Let what has not left of an order go to another address. Once it is confirmed, fulfillment decides.

    Args:
        reason: stored with the correction.
        if_version: the versions of the order that the caller accepts; None accepts any.

    Returns:
        The order, with the address or with its requested correction.

    Raises:
        NotFound: there is no such order.
        NotAllowed: all of the order is shipped or cancelled.
        CountryStays, SameAddress, CorrectionUnderWay: as `Order.correct_address`.
        StaleVersion: the order is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        order = work.get(Order, number)
        order.expect_version(if_version)
        order.correct_address(address, reason)
    return order


def settle_address_correction(number: OrderNumber, correction: int, *, is_corrected: bool) -> None:
    """Record whether what is left of an order goes to another address, or whether that came too late."""
    with unit_of_work() as work:
        work.get(Order, number).settle_address_correction(correction, is_corrected=is_corrected)
