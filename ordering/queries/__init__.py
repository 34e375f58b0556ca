"""Ordering's queries: functions that read and change nothing. The other modules here maintain read models."""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from itertools import islice
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from integration.domain import clock
from integration.domain.address import ERASED, LONGEST
from integration.domain.errors import NotFound, Unacceptable
from integration.domain.identifiers import BuyerId, OrderNumber, Sku
from integration.history.entries import HistoryEntry
from integration.history.story import story
from integration.messaging.on_the_way import on_the_way
from integration.read_models.catch_up import catch_up
from ordering.events import BuyerProfileChanged, BuyerRegistered, OrderCancellationRefused
from ordering.models import ENDED, Buyer, History, Order, OrderBoard, OrderStatus, Product
from ordering.queries import (  # noqa: F401 - they register read models, and who guests are
    board,
    guests,
    sales,
    sales_by_hour,
    search,
)

MOST_NAMED = 5
"""How many buyers or orders an error message lists at most."""

PROFILE = [BuyerRegistered.wire_name, BuyerProfileChanged.wire_name]
"""The wire names of the events that hold a buyer's profile."""


class Ambiguous(Unacceptable):
    """Several buyers match."""


def order(number: OrderNumber, orders: QuerySet[Order] | None = None) -> Order:
    """The order with this number and its lines, from `orders` or from all orders; raises `NotFound`."""
    found = (Order.objects.all() if orders is None else orders).filter(pk=number).first()
    if found is None:
        raise NotFound(f"there is no order {number}")
    Order.load_parts([found])
    return found


def orders_of(buyer: BuyerId) -> QuerySet[Order]:
    """The orders of a buyer."""
    return Order.objects.filter(buyer=buyer)


def order_board() -> QuerySet[OrderBoard]:
    """The rows of the order board, after it has caught up with every committed order."""
    catch_up(OrderBoard.read_model)
    return OrderBoard.objects.all()


def orders_past_payment_deadline(limit: int) -> list[OrderNumber]:
    """At most `limit` unpaid orders whose payment deadline has passed, longest overdue first.

    An order is passed over while billing is asked for its payment, or while a message about it is on its way to
    ordering: it may say that the money was taken.
    """
    overdue = Order.objects.filter(
        ~on_the_way("ordering"),
        status__in=[OrderStatus.PENDING, OrderStatus.PAYMENT_PENDING],
        payment_due_at__lte=clock.now(),
        payment_asked=False,
    )
    return [OrderNumber(number) for number in overdue.order_by("payment_due_at").values_list("pk", flat=True)[:limit]]


def refused_cancellations(orders: Sequence[Order | OrderBoard]) -> dict[str, datetime]:
    """By order number, when the last requested cancellation was refused, as of the version of each order."""
    versions = {order.number: order.version for order in orders}
    refusals = History.objects.filter(
        stream=Order.stream, stream_id__in=list(versions), name=OrderCancellationRefused.wire_name
    )
    found = refusals.order_by("version").values_list("stream_id", "version", "occurred_at")
    return {number: moment for number, version, moment in found if version <= versions[number]}


def timeline(order: Order) -> list[HistoryEntry]:
    """All events with the order's correlation ID, in all contexts, each after its cause."""
    return story(order.correlation_id)


def products() -> QuerySet[Product]:
    """The products that are on sale."""
    return Product.objects.filter(on_sale=True)


def search_products(products: QuerySet[Product], words: str) -> QuerySet[Product]:
    """The products in which each of the words occurs in the name, description or SKU, also as part of a word.

    Case and accents are ignored, in every script.
    """
    for word in words.split():
        found = (Q(**{f"{field}__folded__contains": word}) for field in ("name", "description", "sku"))
        products = products.filter(reduce(or_, found))
    return products


def product(sku: Sku) -> Product:
    """The product with this SKU, whether on sale or not; raises `NotFound`."""
    found = Product.objects.filter(pk=sku).first()
    if found is None:
        raise NotFound(f"there is no product {sku}")
    return found


def buyer(id: BuyerId) -> Buyer:
    """The buyer with this ID; raises `NotFound`, also for a user who has neither registered as a buyer nor ordered."""
    found = Buyer.objects.filter(pk=id).first()
    if found is None:
        raise NotFound(f"there is no buyer {id}")
    return found


def profile_of(buyer: BuyerId, account: Any) -> Buyer:
    """The buyer of a user. For a user who is no buyer yet, the buyer that registering would make, which is not stored.

    Args:
        account: the user, whose name and e-mail address such a buyer has.
    """
    found = Buyer.objects.filter(pk=buyer).first()
    return found or Buyer(id=buyer, name=account.get_full_name(), email=account.email)


def buyer_named(name: str) -> BuyerId:
    """The ID of the one buyer with this ID, username or e-mail address; raises `NotFound`, `Ambiguous`.

    An ID comes first: no username and no e-mail address that equals it is looked for.
    """
    if Buyer.objects.filter(pk=name).exists():
        return BuyerId(name)
    matches = Q(user__username=name) | Q(email__iexact=name) | Q(user__email__iexact=name)
    found = list(Buyer.objects.filter(matches).order_by("pk").values_list("pk", flat=True)[:MOST_NAMED])
    if not found:
        raise NotFound(f"there is no buyer {name}")
    if len(found) > 1:
        raise Ambiguous(f"{name} may be any of {', '.join(found)}: give the ID of one")
    return BuyerId(found[0])


def who_is(buyer: BuyerId) -> str:
    """A sentence that lets a person recognize a buyer: ID, username, name, e-mail address and number of orders.

    Raises:
        NotFound: there is no such buyer.
    """
    found = Buyer.objects.select_related("user").filter(pk=buyer).first()
    if found is None:
        raise NotFound(f"there is no buyer {buyer}")
    known = [f"user {found.user.username}" if found.user else "without a user account", found.name, found.email]
    return f"Buyer {buyer} ({', '.join(filter(None, known))}) with {orders_of(buyer).count():,} orders."


def orders_under_way(buyer: BuyerId) -> list[OrderNumber]:
    """At most `MOST_NAMED` orders of the buyer that have not ended, or have an open return or withdrawal."""
    comes_back = Q(return_facts__isnull=False) | Q(withdrawal_facts__isnull=False)
    candidates = orders_of(buyer).filter(~Q(status__in=ENDED) | comes_back).order_by("pk")
    unfinished = (each for each in candidates if each.status not in ENDED or each.has_open_returns)
    return [OrderNumber(each.number) for each in islice(unfinished, MOST_NAMED)]


def orders_to_anonymize(buyer: BuyerId, limit: int) -> list[OrderNumber]:
    """At most `limit` orders of the buyer that are not anonymized."""
    erased: dict[str, Any] = {f"shipping_address__{part}": ERASED for part in LONGEST}
    personal = orders_of(buyer).exclude(payment_method="", note="", **erased).order_by("pk")
    return [OrderNumber(number) for number in personal.values_list("pk", flat=True)[:limit]]


def consents_of(buyer: BuyerId) -> list[dict[str, Any]]:
    """What the buyer chose about e-mails and their language, each time they changed their profile, oldest first."""
    changes = History.objects.filter(stream=Buyer.stream, stream_id=buyer, name=BuyerProfileChanged.wire_name)
    return [
        {"at": entry.occurred_at, **{name: entry.data[name] for name in ("email_notifications", "locale")}}
        for entry in changes.order_by("version")
    ]


def stories_of_profile(buyer: BuyerId) -> list[UUID]:
    """The correlation IDs of all requests in which the buyer registered or changed their profile."""
    entries = History.objects.filter(stream=Buyer.stream, stream_id=buyer, name__in=PROFILE)
    return list(entries.order_by().values_list("correlation_id", flat=True).distinct())
