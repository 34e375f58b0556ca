"""A voucher is redeemed when its order is confirmed, and released when all of that order is cancelled."""

from integration.policies import whenever
from ordering import commands, events


@whenever(events.OrderConfirmed)
def redeem_vouchers(event: events.OrderConfirmed) -> None:
    commands.redeem_vouchers(event.order)


@whenever(events.OrderCancelled)
def release_vouchers(event: events.OrderCancelled) -> None:
    commands.release_vouchers(event.order)
