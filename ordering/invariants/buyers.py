"""What must always be true of a buyer: the spend is that of the orders, and nothing is sent to an erased one."""

from integration.gateways.mail_files import persons_with_letters
from integration.invariants import Check, always, json_text, rows_of
from ordering.invariants.orders import CONFIRMED


@always("ordering.spend_is_its_confirmed_orders")
def spend_is_its_confirmed_orders() -> Check:
    """A buyer's spend is what they paid for confirmed orders in its currency, less the refunds that lowered it."""
    return Check(
        rows=f"""
            ordering_buyer AS buyer LEFT JOIN (
                SELECT buyer_id, currency, sum(total_minor - spend_refunded_minor) AS total FROM ordering_order
                WHERE status IN {CONFIRMED} GROUP BY buyer_id, currency
            ) AS orders ON orders.buyer_id = buyer.id AND orders.currency = buyer.currency
        """,  # noqa: S608 - made of constants in the code only
        what="""
            buyer.id || ': spent ' || buyer.spend_minor || ', but the orders are ' || coalesce(orders.total, 0)
        """,
        never={"spend is not its orders": "buyer.spend_minor <> coalesce(orders.total, 0)"},
    )


@always("ordering.refunds_lower_the_spend")
def refunds_lower_the_spend() -> Check:
    """Each refund of a confirmed order lowered its buyer's spend once, unless older code recorded the refund.

    So did what was authorized and will never be captured.
    """
    back = "(o.refunded_minor + coalesce(o.released_minor, 0))"
    return Check(
        rows="ordering_order AS o",
        what=f"""
            o.number || ': of ' || {back} || ' back, or never charged, ' || o.spend_refunded_minor
              || ' lowered the spend'
        """,
        never={
            "more lowered the spend than was refunded": f"o.spend_refunded_minor > {back}",
            "a refund raised the spend": "o.spend_refunded_minor < 0",
            "a refund did not lower the spend": f"""
                o.status IN {CONFIRMED} AND o.spend_refunded_minor <> {back} AND NOT EXISTS (
                  SELECT 1 FROM ordering_history AS history
                  WHERE history.stream = 'order' AND history.stream_id = o.number
                    AND history.name = 'ordering.order_refunded' AND {json_text("history.data", "buyer")} IS NULL)
            """,  # noqa: S608 - made of constants in the code only
        },
    )


@always("erasing.no_letter_to_an_erased_buyer_is_stored")
def no_letter_to_an_erased_buyer_is_stored() -> Check:
    """No e-mail to an erased buyer is stored as a file on this machine."""
    letters = rows_of(persons_with_letters(), "person")
    erased = """
        EXISTS (SELECT 1 FROM ordering_history AS history WHERE history.stream = 'buyer'
                AND history.stream_id = buyer.id AND history.name = 'ordering.buyer_erased')
    """
    return Check(
        rows=f"{letters} JOIN ordering_buyer AS buyer ON buyer.id = person.value",
        what="buyer.id || ': e-mails are stored as files'",
        never={
            "the buyer is erased": f"""
                buyer.email = '' AND {erased} AND NOT EXISTS (
                  SELECT 1 FROM integration_delivery AS delivery
                  WHERE delivery.consumer = 'ordering.forget-guest-letters' AND delivery.status IN ('pending', 'dead'))
            """  # noqa: S608 - made of constants in the code only
        },
    )
