"""What must always be true of the search: nothing finds a buyer, or an order, whose personal data was erased."""

from integration.domain.address import ERASED
from integration.invariants import Check, always, json_text
from integration.read_models.verify import caught_up, own_build

BUYERS, ORDERS = "ordering.buyer-search", "ordering.order-search"


@always("read_models.erased_buyers_are_not_found")
def erased_buyers_are_not_found() -> Check:
    """No name or e-mail address finds a buyer who has none; checked once the search has caught up."""
    return Check(
        rows=f"""
            ordering_buyertext AS t LEFT JOIN ordering_buyer AS b ON b.id = t.buyer WHERE t.build = {own_build(BUYERS)}
        """,
        what="t.buyer || ' is found by words'",
        never={
            "there is no such buyer": "b.id IS NULL",
            "the buyer was erased": f"b.name = '' AND b.email = '' AND {caught_up(BUYERS)}",
        },
    )


@always("read_models.erased_orders_are_not_found")
def erased_orders_are_not_found() -> Check:
    """No name finds an order whose recipient was erased; checked once the search has caught up."""
    recipient = json_text("o.shipping_address", "recipient")
    return Check(
        rows=f"""
            ordering_ordertext AS t LEFT JOIN ordering_order AS o ON o.number = t.number
            WHERE t.build = {own_build(ORDERS)}
        """,
        what="t.number || ' is found by words'",
        never={
            "there is no such order": "o.number IS NULL",
            "the recipient was erased": f"{recipient} = '{ERASED}' AND {caught_up(ORDERS)}",
        },
    )
