"""What must always be true of an anonymized order: no context has personal data of it."""

from integration.domain.address import ERASED
from integration.invariants import Check, always, json_text


@always("erasing.nothing_is_left_of_an_anonymized_order")
def nothing_is_left_of_an_anonymized_order() -> Check:
    """No context has personal data of an anonymized order, once the message of its erasure is handled."""
    street, recipient = json_text("s.recipient", "street"), json_text("o.shipping_address", "recipient")
    return Check(
        rows=f"""
            ordering_order AS o WHERE o.payment_method = '' AND {recipient} = '{ERASED}'
              AND NOT EXISTS (
                SELECT 1 FROM integration_delivery AS delivery
                WHERE delivery.consumer IN ('billing.forget-payment-method', 'fulfillment.forget-recipient')
                  AND delivery.status IN ('pending', 'dead'))
        """,  # noqa: S608 - made of constants in the code only
        what="o.number || ' is anonymized'",
        never={
            "its history has personal values": """
                EXISTS (SELECT 1 FROM ordering_history AS h
                        JOIN integration_personaldata AS personal ON personal.event_id = h.id
                        WHERE h.stream = 'order' AND h.stream_id = o.number)
            """,
            "its invoice has the payment method": """
                EXISTS (SELECT 1 FROM billing_invoice AS i WHERE i."order" = o.number AND i.payment_method <> '')
            """,
            "its payment has the payment method": """
                EXISTS (SELECT 1 FROM billing_payment AS p WHERE p."order" = o.number AND p.method <> '')
            """,
            "its shipment has the recipient": f"""
                EXISTS (SELECT 1 FROM fulfillment_shipment AS s
                        WHERE s."order" = o.number AND {street} <> '{ERASED}')
            """,  # noqa: S608 - made of constants in the code only
        },
    )
