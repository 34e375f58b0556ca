"""What can be asked of ordering; nothing here changes anything."""

from uuid import UUID

from django.db.models import Q, QuerySet

from integration.domain import clock
from integration.domain.errors import NotFound, Unacceptable
from integration.domain.identifiers import BuyerId, OrderNumber, Sku
from integration.history.entries import HistoryEntry
from integration.history.story import story
from integration.read_models.catch_up import catch_up
from ordering.events import BuyerProfileChanged, BuyerRegistered
from ordering.models import ORDER_LIFE, Buyer, History, Order, OrderBoard, OrderStatus, Product
from ordering.queries import board, sales  # noqa: F401 - they keep the read models

MOST_NAMED = 5
"""As many buyers or orders are named where one was expected, or none."""

PROFILE = [BuyerRegistered.wire_name, BuyerProfileChanged.wire_name]
"""The events in which buyers tell of themselves."""


class Ambiguous(Unacceptable):
    """That may be several buyers."""


def order(number: OrderNumber, orders: QuerySet[Order] | None = None) -> Order:
    """An order with its lines, out of `orders` or of all; raises `NotFound`."""
    found = (Order.objects.all() if orders is None else orders).filter(pk=number).first()
    if found is None:
        raise NotFound(f"there is no order {number}")
    Order.load_parts([found])
    return found


def orders_of(buyer: BuyerId) -> QuerySet[Order]:
    """A buyer's own orders."""
    return Order.objects.filter(buyer=buyer)


def order_board() -> QuerySet[OrderBoard]:
    """All orders as they are shown in lists, those included that were committed just now."""
    catch_up(OrderBoard.read_model)
    return OrderBoard.objects.all()


def orders_past_payment_deadline(limit: int) -> list[OrderNumber]:
    """Orders whose money is overdue, longest first."""
    overdue = Order.objects.filter(
        status__in=[OrderStatus.PENDING, OrderStatus.PAYMENT_PENDING], payment_due_at__lte=clock.now()
    )
    return [OrderNumber(number) for number in overdue.order_by("payment_due_at").values_list("pk", flat=True)[:limit]]


def timeline(order: Order) -> list[HistoryEntry]:
    """Every event of the order's story, in all contexts, each after its cause."""
    return story(order.correlation_id)


def products() -> QuerySet[Product]:
    """All that is for sale."""
    return Product.objects.filter(on_sale=True)


def search_products(among: QuerySet[Product], words: str) -> QuerySet[Product]:
    """Those of the products whose name, description or sku has all the words, or parts of words."""
    for word in words.split():
        among = among.filter(Q(name__icontains=word) | Q(description__icontains=word) | Q(sku__icontains=word))
    return among


def product(sku: Sku) -> Product:
    """A product, on sale or not; raises `NotFound`."""
    found = Product.objects.filter(pk=sku).first()
    if found is None:
        raise NotFound(f"there is no product {sku}")
    return found


def buyer(id: BuyerId) -> Buyer:
    """A buyer; raises `NotFound` for a user who never registered as one nor ordered."""
    found = Buyer.objects.filter(pk=id).first()
    if found is None:
        raise NotFound(f"there is no buyer {id}")
    return found


def buyer_named(name: str) -> BuyerId:
    """The one buyer with this identifier, user name or e-mail address; raises `NotFound`, `Ambiguous`."""
    meant = Q(pk=name) | Q(user__username=name) | Q(email__iexact=name) | Q(user__email__iexact=name)
    found = list(Buyer.objects.filter(meant).order_by("pk").values_list("pk", flat=True)[:MOST_NAMED])
    if not found:
        raise NotFound(f"there is no buyer {name}")
    if len(found) > 1:
        raise Ambiguous(f"{name} may be any of {', '.join(found)}: name one by identifier")
    return BuyerId(found[0])


def orders_under_way(buyer: BuyerId) -> list[OrderNumber]:
    """Some of the buyer's orders that have not come to their end."""
    unfinished = orders_of(buyer).exclude(status__in=ORDER_LIFE.final_states())
    return [OrderNumber(number) for number in unfinished.order_by("pk").values_list("pk", flat=True)[:MOST_NAMED]]


def orders_with_a_name(buyer: BuyerId, limit: int) -> list[OrderNumber]:
    """Orders of the buyer that have not been anonymized."""
    named = orders_of(buyer).exclude(payment_method="").order_by("pk")
    return [OrderNumber(number) for number in named.values_list("pk", flat=True)[:limit]]


def stories_of_profile(buyer: BuyerId) -> list[UUID]:
    """The stories in which the buyer told of themselves."""
    told = History.objects.filter(stream=Buyer.stream, stream_id=buyer, name__in=PROFILE)
    return list(told.order_by().values_list("correlation_id", flat=True).distinct())
