"""What must always be true of vouchers: their counts, their claims, and the discounts of orders agree."""

from integration.invariants import Check, always, json_elements, json_text
from ordering.invariants.orders import CONFIRMED


@always("ordering.vouchers_count_their_claims")
def vouchers_count_their_claims() -> Check:
    """A limited voucher counts exactly the claims that hold or redeemed it, and they are within its limit."""
    return Check(
        rows="""
            ordering_voucher AS v LEFT JOIN (
                SELECT voucher, sum(CASE WHEN status = 'held' THEN 1 ELSE 0 END) AS held,
                       sum(CASE WHEN status = 'redeemed' THEN 1 ELSE 0 END) AS redeemed
                FROM ordering_voucherclaim WHERE is_counted GROUP BY voucher
            ) AS claims ON claims.voucher = v.code
        """,
        what="""
            v.code || ': held by ' || v.held || ' and redeemed by ' || v.redeemed || ', but the claims are '
              || coalesce(claims.held, 0) || ' and ' || coalesce(claims.redeemed, 0)
        """,
        never={
            "held differs": "v.held <> coalesce(claims.held, 0)",
            "redeemed differs": "v.redeemed <> coalesce(claims.redeemed, 0)",
            "more orders use it than its limit": """
                coalesce(v."limit" < coalesce(claims.held, 0) + coalesce(claims.redeemed, 0), FALSE)
            """,
        },
    )


@always("ordering.claims_are_as_far_as_their_orders")
def claims_are_as_far_as_their_orders() -> Check:
    """A claim is held until its order is confirmed, redeemed from then on, and released once all is cancelled."""
    return Check(
        rows="""
            ordering_voucherclaim AS claim LEFT JOIN ordering_order AS o ON o.number = claim."order"
            LEFT JOIN ordering_voucher AS v ON v.code = claim.voucher
        """,
        what="claim.id || ': ' || claim.status || ', and the order is ' || coalesce(o.status, 'missing')",
        never={
            "there is no such order": "o.number IS NULL",
            "there is no such voucher": "v.code IS NULL",
            "it is held, and the order does not wait": """
                claim.status = 'held' AND coalesce(o.status NOT IN ('pending', 'payment_pending'), FALSE)
            """,
            "it is redeemed, and the order is not confirmed": f"""
                claim.status = 'redeemed' AND coalesce(o.status NOT IN {CONFIRMED}, FALSE)
            """,
            "it is released, and the order is not cancelled": """
                claim.status = 'released' AND coalesce(o.status <> 'cancelled', FALSE)
            """,
        },
    )


@always("ordering.discounts_of_vouchers_have_claims")
def discounts_of_vouchers_have_claims() -> Check:
    """An order has a claim on each voucher that reduced its price, and on no other."""
    discounts = """
        (SELECT number, price_details -> 'discounts' AS discounts FROM ordering_order
         WHERE price_details IS NOT NULL) AS o
    """
    code = json_text("discount.value", "code")
    return Check(
        rows=f"""
            (
                SELECT number, voucher, sum(side) AS difference
                FROM (
                    SELECT o.number, v.code AS voucher, 1 AS side
                    FROM {discounts} {json_elements("o.discounts", "discount")}
                    JOIN ordering_voucher AS v ON v.code = {code}
                    UNION ALL
                    SELECT "order", voucher, -1 FROM ordering_voucherclaim
                ) AS sides
                GROUP BY number, voucher
            ) AS pair
        """,  # noqa: S608 - contains only names from the code
        what="pair.number || ': voucher ' || pair.voucher",
        never={
            "the discount has no claim": "pair.difference > 0",
            "the claim has no discount": "pair.difference < 0",
        },
    )
