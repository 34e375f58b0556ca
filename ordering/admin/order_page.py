"""The page of an order that operators work from.

It says what the order is, what it waits for, what is in it, what it cost, what was done for it in all contexts, and how
it came to this. The rows and the story come from `integration.admin`, so this file knows ordering alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from integration.admin.badges import Tone, badge, tone_of
from integration.admin.columns import Shown, exact_moment, link
from integration.admin.failures import failures
from integration.admin.sections import sections
from integration.admin.sequence import sequence
from integration.admin.steps import Steps, listed, steps_of
from integration.admin.viewer import may_view, name_of, name_users
from integration.admin.waterfall import waterfall
from integration.domain.address import ERASED
from integration.domain.money import Money
from integration.history.entries import HistoryEntry
from ordering.events import OrderNoteAdded
from ordering.models import Buyer, Order, Product, SentLetter, ShipmentStatus
from ordering.models.order_prices import ShownLine
from ordering.models.order_shipments import shipment_status_of
from ordering.queries.waiting import waiting_for

MOST_LINES = 100
"""The number of lines that the page shows at first."""


class OrderPage:
    """What the page of an order shows. It takes the same number of statements whatever the size of the order."""

    change_form_template: Any = "admin/waybill/order.html"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        order: Order = context["original"]
        Order.load_parts([order])
        context |= headline(order) | goods(order, all_lines="all_lines" in request.GET) | asked_for(order)
        context["waiting"] = [wait._replace(until=_shown(wait.until)) for wait in waiting_for(order)]
        context["failures"] = failures(request, order.correlation_id)
        context["sections"] = [*sections(request, order.correlation_id)]
        context["letters"] = [*letters(order)]
        steps = steps_of(request, order.correlation_id)
        context["notes"] = [*notes(steps.known)]
        context |= story_of(request, order, steps)
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        return response


def _shown(moment: Any) -> Any:
    return exact_moment(moment) if moment else None


def headline(order: Order) -> dict[str, Any]:
    """The buyer, the total, and the state of the order, its payment, its shipments and its returns as badges."""
    sees_buyer = may_view(Buyer)
    badges = [("order", order.get_status_display()), ("payment", order.payment_status.replace("_", " "))]
    shipment = shipment_status_of(order.shipments)
    if shipment != ShipmentStatus.NONE:
        badges.append(("shipment", shipment.name.lower().replace("_", " ")))
    badges += [("return", each["status"]) for each in order.returns[-1:]]
    badges += [("hold", hold["status"]) for hold in order.open_holds[:1]]
    badges += [("withdrawal", each["status"]) for each in order.withdrawals[-1:]]
    return {
        "buyer": link(Buyer, order.buyer_id, (order.buyer.name if sees_buyer else "") or order.buyer_id),
        "badges": [(label, badge(text, _tone(label, text))) for label, text in badges],
        "placed_at": exact_moment(order.created_at),
    }


def _tone(label: str, text: str) -> Tone:
    return "warn" if label == "hold" else tone_of(text.lower().replace(" ", "_"))


def goods(order: Order, *, all_lines: bool) -> dict[str, Any]:
    """The lines with what became of their units, and the money of the order."""
    lines = order.shown_lines
    shown = lines if all_lines else lines[:MOST_LINES]
    delivered = order.delivered
    zero = Money.zero(order.currency)
    return {
        "lines": [
            {
                "product": link(Product, line.sku),
                "line": line,
                "whereabouts": ", ".join(_whereabouts(line, delivered.get(line.sku, 0))),
            }
            for line in shown
        ],
        "lines_left_out": len(lines) - len(shown),
        "shipping": order.shipping,
        "money": [(label, amount) for label, amount, is_shown in _money(order, zero) if is_shown],
        "address": [line for line in _address(order.shipping_address) if line],
    }


def _whereabouts(line: ShownLine, delivered: int) -> Iterator[str]:
    on_the_way = line.shipped - delivered - line.lost
    counts = {
        "to ship": line.open,
        "under way": max(0, on_the_way),
        "delivered": delivered - min(delivered, line.returned),
        "returned": line.returned,
        "lost": line.lost,
        "cancelled": line.cancelled,
    }
    return (f"{units} {what}" for what, units in counts.items() if units)


def _money(order: Order, zero: Money) -> Iterator[tuple[str, Money, bool]]:
    yield "Goods", order.subtotal, True
    for discount in order.discounts:
        yield discount.name, -discount.amount, bool(discount.amount)
    if order.shipping:
        yield f"Shipping ({order.shipping.name})", order.shipping_price, True
    yield "Tax, included" if order.prices_include_tax else "Tax", order.tax, bool(order.tax)
    yield "Total", order.total, True
    yield "Authorized", order.authorized, order.is_authorized
    yield "Paid", order.paid, True
    yield "Refunded", order.refunded, order.refunded != zero
    yield "Paid and not refunded", order.paid - order.refunded, order.refunded != zero


def _address(parts: dict[str, Any]) -> Iterator[str]:
    yield from (parts.get(name) or "" for name in ("recipient", "company", "street", "street2"))
    yield " ".join(filter(None, [parts.get("postal_code"), parts.get("city")]))
    yield from (parts.get(name) or "" for name in ("region", "country", "phone"))


def asked_for(order: Order) -> dict[str, Any]:
    """What was asked for and is, or was, for somebody to decide: holds, cancellations, withdrawals."""
    rows = [(hold["id"], "hold", hold["status"], hold["reason"].replace("_", " ")) for hold in order.holds]
    if correction := order.address_correction:
        rows.append((f"{correction['correction']}", "address correction", correction["status"], ""))
    for each in order.cancellations:
        units = ", ".join("{cancelled} of {quantity} × {sku}".format(**line) for line in each["lines"])
        rows.append((each["id"], "cancellation", each["status"], units))
    for each in order.withdrawals:
        units = ", ".join("{quantity} × {sku}".format(**line) for line in each["lines"])
        rows.append((each["id"], "withdrawal", each["status"], units))
    shown = [(id, kind, badge(status.replace("_", " "), tone_of(status)), text) for id, kind, status, text in rows]
    return {"requests": shown}


def letters(order: Order) -> Iterator[tuple[Shown, str]]:
    """When each letter was sent, and which."""
    for letter in SentLetter.objects.filter(order=order.number):
        text = f"{letter.kind.replace('_', ' ')} ({letter.language})"
        yield exact_moment(letter.sent_at), link(SentLetter, letter.pk, text)


def notes(entries: Sequence[HistoryEntry]) -> Iterator[tuple[Shown, Shown, str]]:
    """When each note was written, by whom, and its text; `(erased)` for one whose text was erased."""
    found = [entry for entry in entries if entry.name == OrderNoteAdded.wire_name]
    name_users(entry.actor for entry in found)
    for entry in found:
        yield exact_moment(entry.occurred_at), name_of(entry.actor), entry.facts["text"] or ERASED


def story_of(request: HttpRequest, order: Order, steps: Steps) -> dict[str, Any]:
    """The story in the view that the reader chose: a waterfall with its steps, or a sequence of messages."""
    may_see_messages = request.user.has_perm("integration.view_message")
    as_sequence = may_see_messages and request.GET.get("story") == "sequence"
    may_see_history = request.user.has_perm("ordering.view_history")
    return {
        "steps": [] if as_sequence else [*listed(steps.entries)],
        "waterfall": None if as_sequence else waterfall(steps.entries),
        "sequence": sequence(order.correlation_id, steps.entries) if as_sequence else None,
        "has_sequence": may_see_messages,
        "steps_hidden": steps.hidden,
        "steps_left_out": steps.left_out,
        "life_url": reverse("admin:ordering_order_life", args=[quote(order.pk)]) if may_see_history else "",
        "version": order.version,
    }
