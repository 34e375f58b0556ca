"""For every clause of every invariant, SQL that plants an offender into a shop at rest: what `verify` must name.

The statements work on both databases, except where only one of them has the thing that is broken.
"""

from collections.abc import Mapping, Sequence

from django.apps import apps

from integration.history.append_only import unprotect
from integration.read_models.history_reader import number
from integration.storage.sql import is_postgresql

NEW_ID = "gen_random_uuid()" if is_postgresql() else "lower(hex(randomblob(16)))"
NO_ID = "'00000000-0000-0000-0000-000000000000'"


def copied(table: str, where: str, into: str = "", **changes: str) -> str:
    """A statement that copies rows of a table with other values in some columns, or into another table."""
    (model,) = [each for each in apps.get_models() if each._meta.db_table == (into or table)]
    columns = [f'"{field.column}"' for field in model._meta.concrete_fields if field.column not in ("archived_at",)]
    values = [changes.get(column.strip('"'), column) for column in columns]
    return f"INSERT INTO {into or table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} WHERE {where}"  # noqa: S608


def replaced(table: str, column: str, old: str, new: str, where: str = "TRUE") -> str:
    """A statement that replaces a text in a JSON column."""
    text = f"replace(CAST({column} AS text), '{old}', '{new}')"
    value = f"CAST({text} AS jsonb)" if is_postgresql() else text
    return f"UPDATE {table} SET {column} = {value} WHERE {where}"  # noqa: S608 - names of the tests only


def changed(table: str, column: str, value: str) -> str:
    """A statement that changes a column of all rows."""
    return f"UPDATE {table} SET {column} = {value}"  # noqa: S608 - names of the tests only


def of_no_order(table: str) -> str:
    """A statement that gives rows the number of an order that does not exist."""
    return f'UPDATE {table} SET "order" = "order" || \'x\''  # noqa: S608 - names of the tests only


def happened_again(table: str, name: str) -> str:
    """A statement that records an event a second time."""
    return copied(table, f"name = '{name}'", id=NEW_ID, version="version + 100")


OVERDRAWN = "UPDATE billing_payment SET amount_minor = captured_minor - 1 WHERE captured_minor IS NOT NULL"
ALL_RELEASED = "UPDATE billing_invoice SET released_minor = authorized_minor - paid_minor"

BOARD_AMOUNTS = ("subtotal", "discount", "shipping", "shipping_total", "tax", "total", "paid", "refunded")

BOARD: Mapping[str, str] = {
    **dict.fromkeys(("status", "cancellation_reason", "payment_status", "shipment_status", "buyer"), "'other'"),
    **dict.fromkeys(("currency",), "'EUR'"),
    **dict.fromkeys(("payment_method",), "'pm_other'"),
    **{f"{each}_minor": f"{each}_minor + 1" for each in BOARD_AMOUNTS},
    "prices_include_tax": "NOT prices_include_tax",
    "shipping_address": "'{}'",
    "shipments": "'[{}]'",
    "line_cancellations": "'{\"C-0\": {}}'",
    "order_holds": "'{\"H-0\": {}}'",
    "payment_progress": "'{}'",
    "authorized_minor": "coalesce(authorized_minor, 0) + 1",
    "on_hold": "NOT on_hold",
    "replaces": "'R-0'",
    "correlation_id": NO_ID,
    "created_at": "'2020-01-01 00:00:00'",
    "updated_at": "'2020-01-01 00:00:00'",
}

NO_SHIPMENT = ("DELETE FROM fulfillment_shipmentline", "DELETE FROM fulfillment_shipment")

ON_BOTH: Mapping[str, Mapping[str, str | Sequence[str]]] = {
    "billing.paid_is_its_payments": {
        "the surplus is not what is still to be refunded": "UPDATE billing_invoice SET surplus_minor = 1",
        "the payment that settled it did not succeed": "UPDATE billing_invoice SET settled_by = 'P-0-1'",
        "paid is not what its payments brought": "UPDATE billing_payment SET status = 'failed'",
        "it is settled and not paid in full": "UPDATE billing_invoice SET total_minor = total_minor + 1",
    },
    "billing.refunded_is_its_refunds": {
        "refunded is not its issued refunds": "UPDATE billing_refund SET status = 'requested'",
        "owed back is not its refunds": "UPDATE billing_refund SET amount_minor = amount_minor + 1",
        "more is owed back than was paid": "UPDATE billing_invoice SET refund_owed_minor = paid_minor + 1",
    },
    "billing.total_is_its_lines_less_discount": {
        "there are no lines": "DELETE FROM billing_invoiceline",
        "a line is in another currency": "UPDATE billing_invoiceline SET currency = 'EUR' WHERE sku = 'MUG'",
        "only some lines have a total": "UPDATE billing_invoiceline SET total_minor = 1 WHERE sku = 'MUG'",
        "total is not its lines and shipping": "UPDATE billing_invoice SET shipping_minor = 1",
    },
    "billing.lines_are_refunded_once": {
        "more units are refunded than invoiced": "UPDATE billing_invoiceline SET units_refunded = quantity + 1",
        "more of a line is refunded than its price": "UPDATE billing_invoiceline SET credited_minor = 10000000",
        "less than nothing is refunded": "UPDATE billing_invoiceline SET credited_minor = -1",
        "units that are gone are not refunded": "UPDATE billing_invoiceline SET units_gone = units_refunded + 1",
        "more is refunded than owed": "UPDATE billing_invoiceline SET credited_minor = 1",
        "all units are refunded, and not all that was paid": "UPDATE billing_invoiceline SET units_refunded = quantity",
    },
    "billing.document_numbers_have_no_gap": {
        "a number is missing": "UPDATE billing_invoice SET position = position + 1000 WHERE position > 0",
        "a number is assigned twice": "UPDATE billing_document SET number = 'CN-1'",
        "it has documents of two kinds": "UPDATE billing_document SET kind = 'invoice' WHERE number = 'CN-000001'",
    },
    "billing.confirmed_invoices_and_reductions_are_documented": {
        "it is not one document": "UPDATE billing_invoice SET documented = FALSE",
        "the document has another total": "UPDATE billing_document SET kind = 'invoice', amount_minor = 1",
        "credit notes are missing": "DELETE FROM billing_document WHERE kind = 'credit_note'",
        "a reduction has no credit note": "UPDATE billing_invoice SET noted_minor = noted_minor + 1",
        "a document is in another currency": "UPDATE billing_document SET currency = 'EUR'",
    },
    "billing.documents_get_their_numbers": {
        "it waits for its number": "UPDATE billing_document SET created_at = '2020-01-01 00:00:00'",
        "the status is not what happened": "UPDATE billing_document SET number = '' WHERE status = 'numbered'",
        "its invoice has no number": "UPDATE billing_invoice SET position = 0",
    },
    "billing.invoices_get_their_numbers": {
        "it waits for its number": "UPDATE billing_invoice SET position = 0, updated_at = '2020-01-01 00:00:00'",
        "it has no date of issue": "UPDATE billing_invoice SET issued_at = NULL",
        "it was never confirmed": "UPDATE billing_invoice SET status = 'void' WHERE position > 0",
    },
    "billing.a_payment_is_of_its_invoice": {
        "there is no such invoice": "UPDATE billing_payment SET invoice_id = 'I-0' WHERE status = 'failed'",
        "the orders differ": "UPDATE billing_payment SET \"order\" = 'R-0'",
        "the currencies differ": "UPDATE billing_payment SET currency = 'EUR'",
        "the amounts differ": "UPDATE billing_payment SET amount_minor = amount_minor + 1",
        "nothing is to be paid": "UPDATE billing_payment SET amount_minor = 0",
    },
    "billing.a_refund_is_of_its_payment": {
        "there is no such payment": "UPDATE billing_refund SET payment_id = 'P-0'",
        "the orders differ": "UPDATE billing_refund SET \"order\" = 'R-0'",
        "the invoices differ": "UPDATE billing_refund SET invoice_id = 'I-0'",
        "the currencies differ": "UPDATE billing_refund SET currency = 'EUR'",
        "the payment did not succeed": "UPDATE billing_payment SET status = 'unknown'",
    },
    "billing.a_payment_is_settled_once": {
        "succeeded more than once": happened_again("billing_history", "billing.payment_succeeded"),
        "the status is not what happened": "UPDATE billing_payment SET status = 'failed'",
    },
    "billing.withdrawn_is_its_disputes": {
        "withdrawn is not its disputes": "UPDATE billing_invoice SET withdrawn_minor = withdrawn_minor + 1",
        "disputed is not its open disputes": "UPDATE billing_invoice SET disputed_minor = disputed_minor + 1",
        "a refund waits for no dispute": "UPDATE billing_refund SET status = 'blocked'",
        "more refunds are settled than disputes took": "UPDATE billing_refund SET status = 'settled'",
    },
    "billing.a_second_person_approves": {
        "the same person decided": "UPDATE billing_refundproposal SET decided_by = proposed_by",
        "it is decided, and nobody did so": "UPDATE billing_refundproposal SET decided_by = ''",
        "it is not decided, and somebody did so": "UPDATE billing_refundproposal SET status = 'proposed'",
        "it is approved, and nothing is refunded": "UPDATE billing_refundproposal SET refund = 'F-0'",
        "it is not approved, and refunded": "UPDATE billing_refundproposal SET status = 'refused'",
        "the refund is of another invoice": "UPDATE billing_refundproposal SET invoice_id = 'I-0'",
        "the refund is of another amount": "UPDATE billing_refundproposal SET amount_minor = amount_minor + 1",
        "two approvals share a refund": copied("billing_refundproposal", "refund <> ''", id="id || '0'"),
    },
    "billing.a_dispute_takes_what_it_is_about": {
        "there is no such payment": "UPDATE billing_dispute SET payment_id = 'P-0'",
        "the orders differ": "UPDATE billing_dispute SET \"order\" = 'R-0'",
        "the currencies differ": "UPDATE billing_dispute SET currency = 'EUR'",
        "it is about more than was paid": "UPDATE billing_dispute SET amount_minor = amount_minor + 100000",
        "it took something else": "UPDATE billing_dispute SET withdrawn_minor = 1",
        "it was won, and took something": "UPDATE billing_dispute SET status = 'won'",
    },
    "billing.captured_is_its_captures": {
        "captured is not its captures": "UPDATE billing_payment SET captured_minor = captured_minor + 1",
        "more is captured than was authorized": OVERDRAWN,
        "the invoice has other captures": "UPDATE billing_invoice SET capturing_minor = capturing_minor + 1",
        "the invoice does not know of the authorization": "UPDATE billing_invoice SET authorized_minor = NULL",
        "a capture is in another currency": "UPDATE billing_capture SET currency = 'EUR'",
        "a capture is of another order": of_no_order("billing_capture"),
    },
    "billing.an_authorization_ends": {
        "nobody releases it": ALL_RELEASED,
        "it lapses and nobody says so": "UPDATE billing_payment SET expires_at = created_at",
        "a lapsed authorization counts as money": "UPDATE billing_invoice SET lapsed = NULL",
        "the invoice is settled too early": "UPDATE billing_invoice SET status = 'paid'",
        "the invoice waits for nothing": ALL_RELEASED,
    },
    "billing.a_failed_capture_is_a_task": {
        "it failed, and is nobody's task": "DELETE FROM billing_discrepancy",
        "the status is not what happened": "UPDATE billing_capture SET failure = 'lost_card'",
    },
    "billing.a_failed_refund_is_a_task": {
        "it failed, and is nobody's task": "UPDATE billing_refund SET status = 'failed'",
        "the status is not what happened": "UPDATE billing_refund SET failure = 'declined'",
    },
    "billing.a_refund_is_issued_once": {
        "issued more than once": happened_again("billing_history", "billing.refund_issued"),
        "the status is not what happened": "UPDATE billing_refund SET status = 'requested'",
    },
    "fulfillment.what_left_has_a_carrier": {
        "there are no lines": "DELETE FROM fulfillment_shipmentline",
        "there is no carrier": "UPDATE fulfillment_shipment SET carrier = ''",
    },
    "fulfillment.goods_are_in_shipments": {
        "what left is in no shipment": "UPDATE fulfillment_fulfillmentline SET dispatched = dispatched + 1",
        "what is left is in no shipment": "UPDATE fulfillment_fulfillmentline SET to_ship = to_ship + 1",
        "two shipments wait": "UPDATE fulfillment_shipment SET status = 'arranged'",
    },
    "fulfillment.what_goes_wrong_is_decided": {
        "nobody reported it": "UPDATE fulfillment_shipment SET status = 'lost'",
        "it did not go wrong": "UPDATE fulfillment_shipment SET resolution = 'refund'",
        "the decision is unknown": "UPDATE fulfillment_shipment SET resolution = 'burnt'",
        "there is a task without a decision": "UPDATE fulfillment_shipment SET scanned_too_late = TRUE",
    },
    "fulfillment.lost_goods_are_counted": {
        "what is lost is not counted": "UPDATE fulfillment_fulfillmentline SET lost = 1 WHERE dispatched > 0",
    },
    "fulfillment.what_comes_back_had_left": {
        "what comes back is in no return": "UPDATE fulfillment_fulfillmentline SET return_asked = return_asked + 1",
        "more comes back than had left": "UPDATE fulfillment_fulfillmentline SET dispatched = return_asked + lost - 1",
    },
    "process.what_came_back_is_the_same_everywhere": {
        "the order counts other units": "UPDATE ordering_orderline SET returned = returned + 1",
        "other units are in the stock": "UPDATE fulfillment_returnline SET restocked = restocked + 1",
        "other units are in quarantine": "UPDATE fulfillment_returnline SET quarantined = quarantined + 1",
    },
    "process.what_came_back_is_settled": {
        "there is no such order": of_no_order("fulfillment_return"),
        "it has no lines": "DELETE FROM fulfillment_returnline",
        "it is complete and not closed": "UPDATE fulfillment_return SET status = 'received'",
        "it is closed and not complete": "UPDATE fulfillment_returnline SET quantity = quantity + 1",
    },
    "inventory.on_hand_is_what_moved": {
        "on hand is not what moved": "UPDATE inventory_stockitem SET on_hand = on_hand + 1",
        "quarantined is not what moved": "UPDATE inventory_stockitem SET quarantined = quarantined + 1",
        "quarantined is negative": "UPDATE inventory_stockitem SET quarantined = -1",
    },
    "inventory.reserved_is_what_orders_hold": {
        "reserved is not what orders hold": "UPDATE inventory_reservationline SET quantity = quantity + 1",
        "more is reserved than on hand": "UPDATE inventory_stockitem SET reserved = on_hand + 1",
        "reserved is negative": "UPDATE inventory_stockitem SET reserved = -1",
    },
    "inventory.a_reservation_has_goods": {
        "there are no lines": "DELETE FROM inventory_reservationline",
        "there is no such stock item": "DELETE FROM inventory_stockitem",
    },
    "inventory.a_reservation_ends_once": {
        "it ended more than once": happened_again("inventory_history", "inventory.reservation_shipped"),
        "the status is not what happened": "UPDATE inventory_reservation SET status = 'held'",
    },
    "inventory.reserved_goods_move_once": {
        "what was set aside differs": "UPDATE inventory_reservationline SET quantity = quantity + 1",
        "what was shipped differs": "UPDATE inventory_reservation SET status = 'released' WHERE status = 'shipped'",
        "what was freed differs": "UPDATE inventory_reservationline SET released = released + 1",
        "more is shipped than reserved": "UPDATE inventory_reservationline SET shipped = quantity + 1",
        "nothing is left, and the reservation goes on": "UPDATE inventory_reservationline SET shipped = quantity",
    },
    "ordering.a_cart_is_checked_out_once": {
        "there is no such order": "UPDATE ordering_cart SET became = 'R-0' WHERE status = 'checked_out'",
        "there is no such cart": "UPDATE ordering_cart SET became = 'R-0' WHERE status = 'merged'",
        "it became something else": "UPDATE ordering_cart SET became = 'R-0' WHERE status = 'open'",
        "two carts became one order": copied("ordering_cart", "status = 'checked_out'", id=NEW_ID, buyer="'B-9'"),
        "it was checked out more than once": happened_again("ordering_history", "ordering.cart_checked_out"),
        "the guest of its order is another one": (
            copied("ordering_buyer", "id LIKE 'G-%'", id="'G-0'"),
            "UPDATE ordering_order SET buyer_id = 'G-0' WHERE buyer_id LIKE 'G-%'",
        ),
        "the buyer of its order is another one": "UPDATE ordering_cart SET buyer = 'B-9' WHERE status = 'checked_out'",
    },
    "ordering.overdue_refunds_are_tasks": {
        "it is overdue and no task": "UPDATE ordering_order SET refund_due_at = '2026-01-01 00:00:00'"
    },
    "ordering.a_guest_has_one_order": {
        "there is more than one order": (
            "UPDATE ordering_order SET buyer_id = (SELECT min(id) FROM ordering_buyer WHERE id LIKE 'G-%')"
        ),
        "the guest has an account": (
            "INSERT INTO auth_user (id, username, password, email, first_name, last_name, is_staff, is_superuser, "
            "is_active, date_joined) VALUES (77, 'x', '', '', '', '', FALSE, FALSE, TRUE, '2026-01-01 00:00:00')",
            "UPDATE ordering_buyer SET user_id = 77 WHERE id LIKE 'G-%'",
        ),
        "the order is claimed, and the guest is known": "UPDATE ordering_order SET buyer_id = 'B-1'",
    },
    "erasing.an_erased_buyer_has_no_open_cart": {
        "it is open": (
            "INSERT INTO auth_user (id, username, password, email, first_name, last_name, is_staff, is_superuser, "
            "is_active, date_joined) "
            "VALUES (78, 'erased 78', '', '', '', '', FALSE, FALSE, FALSE, '2026-01-01 00:00:00')",
            "UPDATE ordering_buyer SET user_id = 78 WHERE id = 'B-1'",
        ),
    },
    "erasing.an_ended_cart_holds_no_address": {
        "its row has an address": "UPDATE ordering_cart SET shipping_address = '{}' WHERE status = 'checked_out'",
        "its history has personal values": (
            'INSERT INTO integration_personaldata (id, event_id, "values") '  # noqa: S608 - names of the tests only
            f"SELECT {NEW_ID}, id, '{{}}' FROM ordering_history WHERE name = 'ordering.cart_checked_out'"
        ),
    },
    "ordering.total_is_its_lines_less_discount": {
        "there are no lines": "DELETE FROM ordering_orderline",
        "a line is in another currency": "UPDATE ordering_orderline SET currency = 'EUR' WHERE sku = 'MUG'",
        "subtotal is not its lines": "UPDATE ordering_order SET subtotal_minor = subtotal_minor + 1",
        "only some lines have amounts": "UPDATE ordering_orderline SET total_minor = 1 WHERE sku = 'MUG'",
        "total is not its lines and shipping": "UPDATE ordering_order SET shipping_total_minor = 1",
        "lines do not add up": "UPDATE ordering_orderline SET discount_minor = 1, tax_minor = 0, total_minor = 1",
    },
    "ordering.what_is_shipped_was_ordered": {
        "not all of it is shipped": "UPDATE ordering_orderline SET shipped = 0",
        "some of it is shipped": "UPDATE ordering_orderline SET shipped = 1",
        "all or nothing is shipped in part": "UPDATE ordering_orderline SET shipped = quantity",
        "more is shipped and cancelled than ordered": "UPDATE ordering_orderline SET cancelled = quantity + 1",
        "more came back or is lost than was shipped": "UPDATE ordering_orderline SET returned = shipped, lost = 1",
        "it is returned, and the buyer has some of it": (
            "UPDATE ordering_order SET status = 'returned' WHERE status = 'delivered'"
        ),
        "it is delivered, and the buyer has none of it": "UPDATE ordering_orderline SET returned = shipped",
        "all of it is cancelled, and the order goes on": "UPDATE ordering_orderline SET cancelled = quantity",
    },
    "ordering.refunded_at_most_paid": {
        "more is refunded than paid": "UPDATE ordering_order SET refunded_minor = paid_minor + 1",
        "it is confirmed and not paid in full": "UPDATE ordering_order SET paid_minor = paid_minor - 1",
        "more is held, paid and released than it costs": (
            "UPDATE ordering_order SET authorized_minor = total_minor + 1 - paid_minor"
        ),
    },
    "ordering.spend_is_its_confirmed_orders": {
        "spend is not its orders": "UPDATE ordering_buyer SET spend_minor = spend_minor + 1",
    },
    "erasing.no_letter_to_an_erased_buyer_is_stored": {
        "the buyer is erased": copied(
            "ordering_history",
            "name = 'ordering.buyer_registered'",
            id=NEW_ID,
            version="version + 100",
            name="'ordering.buyer_erased'",
        ),
    },
    "ordering.refunds_lower_the_spend": {
        "more lowered the spend than was refunded": "UPDATE ordering_order SET spend_refunded_minor = paid_minor + 1",
        "a refund raised the spend": "UPDATE ordering_order SET spend_refunded_minor = -1",
        "a refund did not lower the spend": "UPDATE ordering_order SET spend_refunded_minor = 0",
    },
    "ordering.every_order_has_a_buyer": {
        "there is no such buyer": "UPDATE ordering_order SET buyer_id = 'B-0'",
    },
    "read_models.stock_per_day_is_the_stock": {
        "it does not show the last event": "DELETE FROM inventory_stockofday",
        "it shows a later event": "UPDATE inventory_stockofday SET version = version + 1",
        "on hand differs": "UPDATE inventory_stockofday SET on_hand = on_hand + 1",
        "reserved differs": "UPDATE inventory_stockofday SET reserved = reserved + 1",
        "quarantined differs": "UPDATE inventory_stockofday SET quarantined = quarantined + 1",
    },
    "read_models.each_day_of_stock_is_its_movements": {
        "nothing moved on that day": "UPDATE inventory_stockofday SET day = '2020-01-01'",
        "the day is missing": "UPDATE inventory_stockofday SET day = '2020-01-01'",
        "received differs": "UPDATE inventory_stockofday SET received = received + 1",
        "adjusted differs": "UPDATE inventory_stockofday SET adjusted = adjusted + 1",
        "shipped differs": "UPDATE inventory_stockofday SET shipped = shipped + 1",
        "written off differs": "UPDATE inventory_stockofday SET written_off = written_off + 1",
        "on hand is not what moved until then": "UPDATE inventory_stockofday SET on_hand = on_hand + 1",
        "reserved is not what moved until then": "UPDATE inventory_stockofday SET reserved = reserved + 1",
        "quarantined is not what moved until then": "UPDATE inventory_stockofday SET quarantined = quarantined + 1",
        "the version is not that of its last movement": "UPDATE inventory_stockofday SET version = version + 1",
        "another day is the latest": "UPDATE inventory_stockofday SET latest = NOT latest",
    },
    "ordering.vouchers_count_their_claims": {
        "held differs": "UPDATE ordering_voucher SET held = held + 1",
        "redeemed differs": "UPDATE ordering_voucherclaim SET status = 'released'",
        "more orders use it than its limit": "UPDATE ordering_voucher SET \"limit\" = 0 WHERE code = 'FEW'",
    },
    "ordering.claims_are_as_far_as_their_orders": {
        "there is no such order": of_no_order("ordering_voucherclaim"),
        "there is no such voucher": "DELETE FROM ordering_voucher",
        "it is held, and the order does not wait": "UPDATE ordering_voucherclaim SET status = 'held'",
        "it is redeemed, and the order is not confirmed": "UPDATE ordering_order SET status = 'pending'",
        "it is released, and the order is not cancelled": "UPDATE ordering_voucherclaim SET status = 'released'",
    },
    "ordering.discounts_of_vouchers_have_claims": {
        "the discount has no claim": "DELETE FROM ordering_voucherclaim",
        "the claim has no discount": "UPDATE ordering_order SET price_details = NULL",
    },
    "read_models.order_board_is_the_orders": {
        "it does not show the last event": "DELETE FROM ordering_orderboard",
        "it shows a later event": "UPDATE ordering_orderboard SET version = version + 1",
        **{f"{column} differs": changed("ordering_orderboard", column, value) for column, value in BOARD.items()},
    },
    "read_models.order_board_shows_the_lines": {
        "only the board has this line": "DELETE FROM ordering_orderline WHERE sku = 'MUG'",
        "only the order has this line": "UPDATE ordering_orderboard SET line_facts = '[]'",
    },
    "read_models.order_board_shows_only_orders": {
        "there is no such order": "UPDATE ordering_orderboard SET number = number || 'x'",
    },
    "read_models.lifetime_spend_is_what_buyers_spent": {
        "orders differs": "UPDATE ordering_lifetimespend SET orders = orders + 7",
        "amount differs": "UPDATE ordering_lifetimespend SET spend_minor = spend_minor + 7",
    },
    "read_models.sales_are_what_was_ordered": {
        "orders differs": "UPDATE ordering_salesofday SET orders = 0",
        "amount differs": "UPDATE ordering_salesofday SET amount_minor = 0",
        "quantity differs": "UPDATE ordering_salesofday SET quantity = 0",
    },
    "read_models.erased_buyers_are_not_found": {
        "there is no such buyer": "INSERT INTO ordering_buyertext (build, buyer, text) "
        "SELECT id, 'B-404', ' ada' FROM integration_readmodelbuild WHERE read_model = 'ordering.buyer-search'",
        "the buyer was erased": "INSERT INTO ordering_buyertext (build, buyer, text) SELECT build.id, buyer.id, ' ada' "
        "FROM integration_readmodelbuild AS build, ordering_buyer AS buyer "
        "WHERE read_model = 'ordering.buyer-search' AND name = '' AND email = ''",
    },
    "read_models.erased_orders_are_not_found": {
        "there is no such order": "UPDATE ordering_ordertext SET number = number || 'x'",
        "the recipient was erased": changed("ordering_order", "shipping_address", '\'{"recipient": "(erased)"}\''),
    },
    "read_models.erased_shipments_are_not_found": {
        "there is no such shipment": "UPDATE fulfillment_shipmenttext SET shipment = shipment || 'x'",
        "the recipient was erased": changed("fulfillment_shipment", "recipient", '\'{"recipient": "(erased)"}\''),
    },
    "read_models.every_row_has_a_build": {
        "there is no such build": "UPDATE ordering_orderboard SET build = 77",
    },
    "read_models.numbers_increase_with_versions": {
        "the numbers do not increase": changed("ordering_history", number(), f"-{number()}"),
    },
    "events.each_consumer_has_one_delivery": {
        "deliveries are missing": "DELETE FROM integration_delivery",
        "there are too many deliveries": "UPDATE integration_message SET addressed_to = 0",
    },
    "webhooks.each_message_has_its_rows": {"it has no row": "DELETE FROM integration_endpointdelivery"},
    "events.each_archived_message_is_whole": {
        "deliveries are missing": "UPDATE integration_archivedmessage SET deliveries = '[]'",
        "there are too many deliveries": "UPDATE integration_archivedmessage SET addressed_to = 0",
        "a delivery is not settled": replaced("integration_archivedmessage", "deliveries", '"done"', '"dead"'),
        "it is also among the current messages": copied(
            "integration_archivedmessage", "TRUE", into="integration_message"
        ),
    },
    "events.each_message_is_in_the_feed": {
        "it is in no feed": (
            "DELETE FROM integration_feedposition",
            "UPDATE integration_message SET occurred_at = '2020-01-01 00:00:00'",
        ),
    },
    "events.nothing_personal_is_told": {
        "it holds personal data": replaced("ordering_history", "data", "(erased)", "Ada"),
    },
    "events.every_history_has_its_row": {
        "the row is missing": NO_SHIPMENT,
        "this code knows no such aggregate": "UPDATE fulfillment_history SET stream = 'pigeon'",
        "there are no events": "DELETE FROM fulfillment_history",
        "versions are missing": "DELETE FROM ordering_history WHERE version = 1",
        "the row is at another version": "UPDATE ordering_product SET version = version + 1",
    },
    "process.every_order_ended_or_waits_for_something": {
        "it waits for nothing": "UPDATE fulfillment_shipment SET status = 'cancelled'",
        "its requested cancellation waits for nothing": "UPDATE ordering_order SET cancellation_requested = TRUE",
        "its requested cancellation of lines waits for nothing": replaced(
            "ordering_order", "line_cancellations", '"cancelled"', '"requested"'
        ),
        "its requested hold waits for nothing": replaced("ordering_order", "order_holds", '"active"', '"requested"'),
    },
    "process.every_request_waits_for_something": {
        "a payment waits for nothing": "UPDATE billing_payment SET status = 'unknown'",
        "a capture waits for nothing": "UPDATE billing_capture SET status = 'requested'",
        "a refund waits for nothing": "DELETE FROM integration_delivery WHERE consumer = 'billing.issue-refund'",
    },
    "process.every_waiting_payment_ends": {
        "nobody ends it": "UPDATE billing_payment SET status = 'pending' WHERE status = 'failed'",
        "its order does not wait as long": (
            "UPDATE billing_payment SET status = 'pending', expires_at = '2040-01-01 00:00:00' WHERE status = 'failed'",
            "UPDATE ordering_order SET status = 'payment_pending' WHERE status = 'cancelled'",
        ),
    },
    "process.nothing_is_confirmed_without_goods_and_money": {
        "there are no goods": "UPDATE inventory_reservation SET status = 'released'",
        "there is no money": "UPDATE billing_invoice SET paid_minor = 0",
        "its invoice is not settled": "UPDATE billing_invoice SET status = 'open'",
    },
    "process.all_contexts_have_the_same_goods": {
        "what is invoiced was not ordered": "UPDATE billing_invoiceline SET unit_price_minor = unit_price_minor + 1",
        "what is reserved was not ordered": "UPDATE inventory_reservationline SET sku = 'BRICK' WHERE sku = 'MUG'",
        "what is packed was not ordered": "UPDATE fulfillment_shipmentline SET quantity = quantity + 5",
    },
    "process.everything_is_of_an_order": {
        "an invoice of an order that does not exist": 'UPDATE billing_invoice SET "order" = "order" || \'x\'',
        "a reservation of an order that does not exist": 'UPDATE inventory_reservation SET "order" = "order" || \'x\'',
        "a shipment of an order that does not exist": 'UPDATE fulfillment_shipment SET "order" = "order" || \'x\'',
        "the currencies differ": "UPDATE billing_invoice SET currency = 'JPY'",
        "the payer is not the buyer": "UPDATE billing_invoice SET payer = 'B-0'",
    },
    "process.nothing_ships_unconfirmed": {
        "the order is not confirmed": "UPDATE ordering_order SET status = 'pending'",
    },
    "process.contexts_agree_at_rest": {
        "cancelled, and not in all contexts": "UPDATE inventory_reservation SET status = 'held'",
        "delivered, and not in all contexts": NO_SHIPMENT,
        "returned, and not in all contexts": "UPDATE ordering_order SET status = 'returned' WHERE status = 'confirmed'",
        "shipped, and not in all contexts": "UPDATE ordering_order SET status = 'shipped' WHERE status = 'delivered'",
        "shipped in part, and not in all contexts": NO_SHIPMENT,
        "confirmed, and not in all contexts": NO_SHIPMENT,
        "unpaid, and not in all contexts": "UPDATE ordering_order SET status = 'payment_pending'",
        "pending, and shipped": "UPDATE ordering_order SET status = 'pending'",
        "cancelled, and its invoice waits": "UPDATE billing_invoice SET status = 'open'",
        "unpaid, and its invoice does not wait": "UPDATE ordering_order SET status = 'payment_pending'",
    },
    "process.what_left_is_shipped": {
        "what is shipped did not leave": "UPDATE ordering_orderline SET shipped = quantity WHERE shipped = 0",
    },
    "process.what_is_cancelled_is_cancelled_everywhere": {
        "what is cancelled was not stopped": "UPDATE fulfillment_fulfillmentline SET stopped = stopped + 1",
        "what is cancelled is still reserved": "UPDATE inventory_reservationline SET released = 0",
        "what is cancelled is not refunded": "UPDATE billing_invoiceline SET units_gone = 0",
    },
    "process.lost_goods_are_lost_in_all_contexts": {
        "other units are lost": "UPDATE ordering_orderline SET lost = 1 WHERE shipped > 0",
    },
    "process.goods_are_sent_again_once": {
        "goods are not sent again once": "UPDATE fulfillment_shipment SET resolution = 'send_again'",
        "the order does not know them": "UPDATE ordering_order SET replaces = number",
    },
    "process.what_is_sent_again_costs_nothing": {
        "it costs something": "UPDATE ordering_order SET replaces = number",
        "it replaces no order of its buyer": "UPDATE ordering_order SET replaces = 'R-0'",
    },
    "process.every_product_can_be_stocked": {
        "there is no stock item": "DELETE FROM inventory_stockitem",
    },
    "erasing.nothing_is_left_of_an_anonymized_order": dict.fromkeys(
        (
            "its history has personal values",
            "its invoice has the payment method",
            "its payment has the payment method",
            "its shipment has the recipient",
        ),
        "UPDATE ordering_order SET payment_method = '', shipping_address = '{\"recipient\": \"(erased)\"}'",
    ),
    "money.captured_less_refunded_is_what_orders_owe": {
        "captured less refunded is not what it owes": "UPDATE billing_invoice SET granted_minor = granted_minor - 1",
        "the invoice is missing": 'UPDATE billing_invoice SET "order" = "order" || \'x\'',
        "the invoice has another total": "UPDATE billing_invoice SET total_minor = total_minor + 1",
        "the invoice has another amount paid": "UPDATE ordering_order SET paid_minor = paid_minor + 1",
        "the invoice has another amount refunded": "UPDATE ordering_order SET refunded_minor = refunded_minor + 1",
    },
}

TRIGGER = "ordering_history_is_append_only"

ON_POSTGRESQL: Mapping[str, Mapping[str, str | Sequence[str]]] = {
    "events.history_is_append_only": {
        "a trigger is missing": f"DROP TRIGGER {TRIGGER} ON ordering_history",
        "a trigger is not enabled always": f"ALTER TABLE ordering_history ENABLE TRIGGER {TRIGGER}",
        "its function does not refuse": (
            f"CREATE OR REPLACE FUNCTION {TRIGGER}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
        ),
    },
    "events.numbers_are_not_cached": {
        "there is no sequence": "ALTER TABLE ordering_history ALTER seq DROP IDENTITY",
        "the sequence has a cache": "ALTER TABLE ordering_history ALTER seq SET CACHE 50",
    },
}

ON_SQLITE: Mapping[str, Mapping[str, str | Sequence[str]]] = {
    "events.history_is_append_only": {"a trigger is missing": unprotect("ordering_history", "sqlite")[0]},
    "events.numbers_are_not_cached": {},
}

PLANTED = {**ON_BOTH, **(ON_POSTGRESQL if is_postgresql() else ON_SQLITE)}
"""By the name of the invariant and of the clause, the statements that plant an offender."""
