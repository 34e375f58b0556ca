"""What must always be true of carts and guests: a cart becomes one order, and nothing personal is left in it."""

from integration.invariants import Check, always


@always("ordering.a_cart_is_checked_out_once")
def a_cart_is_checked_out_once() -> Check:
    """A cart that was checked out became one order, which no other cart became; a merged one became another cart."""
    return Check(
        rows="""
            ordering_cart AS cart
            LEFT JOIN ordering_order AS o ON o.number = cart.became
            LEFT JOIN ordering_cart AS target ON target.id = cart.became
        """,
        what="cart.id || ' (' || cart.status || '): became ' || cart.became",
        never={
            "there is no such order": "cart.status = 'checked_out' AND o.number IS NULL",
            "there is no such cart": "cart.status = 'merged' AND target.id IS NULL",
            "it became something else": "cart.status IN ('open', 'expired') AND cart.became <> ''",
            "two carts became one order": """
                cart.status = 'checked_out' AND EXISTS (
                  SELECT 1 FROM ordering_cart AS other
                  WHERE other.status = 'checked_out' AND other.became = cart.became AND other.id <> cart.id)
            """,
            "it was checked out more than once": """
                (SELECT count(*) FROM ordering_history AS history
                 WHERE history.stream = 'cart' AND history.stream_id = cart.id
                   AND history.name = 'ordering.cart_checked_out')
                <> CASE WHEN cart.status = 'checked_out' THEN 1 ELSE 0 END
            """,
            "the guest of its order is another one": """
                cart.status = 'checked_out' AND cart.buyer = '' AND o.buyer_id LIKE 'G-%'
                AND o.buyer_id <> 'G-' || replace(cart.id, '-', '')
            """,
            "the buyer of its order is another one": """
                cart.status = 'checked_out' AND cart.buyer <> '' AND o.buyer_id <> cart.buyer
            """,
        },
    )


@always("erasing.an_ended_cart_holds_no_address")
def an_ended_cart_holds_no_address() -> Check:
    """Neither the row nor the history of a cart that has ended holds an address."""
    return Check(
        rows="ordering_cart AS cart WHERE cart.status <> 'open'",
        what="cart.id || ' (' || cart.status || ')'",
        never={
            "its row has an address": "cart.shipping_address IS NOT NULL",
            "its history has personal values": """
                EXISTS (SELECT 1 FROM ordering_history AS history
                        JOIN integration_personaldata AS personal ON personal.event_id = history.id
                        WHERE history.stream = 'cart' AND history.stream_id = cart.id)
            """,
        },
    )


@always("erasing.an_erased_buyer_has_no_open_cart")
def an_erased_buyer_has_no_open_cart() -> Check:
    """An erased buyer has no open cart.

    A request that began before the erasing may open one after it. Erase the buyer again, and it is ended.
    """
    return Check(
        rows="""
            ordering_cart AS cart LEFT JOIN ordering_buyer AS buyer ON buyer.id = cart.buyer
            LEFT JOIN auth_user AS account ON account.id = buyer.user_id
        """,
        what="cart.id || ' of ' || cart.buyer || ' (' || coalesce(account.username, '') || ') is ' || cart.status",
        never={
            "it is open": "cart.status = 'open' AND coalesce(account.username = 'erased ' || account.id, FALSE)",
        },
    )


@always("ordering.a_guest_has_one_order")
def a_guest_has_one_order() -> Check:
    """A guest has no account, and one order until somebody claims it; then nothing personal of the guest is left.

    Orders that replace lost goods do not count: they are of the guest, too.
    """
    return Check(
        rows="""
            ordering_buyer AS guest LEFT JOIN (
                SELECT buyer_id, count(*) AS n FROM ordering_order WHERE replaces = '' GROUP BY buyer_id
            ) AS orders ON orders.buyer_id = guest.id
            WHERE guest.id LIKE 'G-%'
        """,
        what="guest.id || ': has ' || coalesce(orders.n, 0) || ' orders'",
        never={
            "there is more than one order": "coalesce(orders.n, 0) > 1",
            "the guest has an account": "guest.user_id IS NOT NULL",
            "the order is claimed, and the guest is known": """
                orders.n IS NULL AND (guest.email <> '' OR guest.name <> '')
            """,
        },
    )
