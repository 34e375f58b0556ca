"""What can be asked of ordering; nothing here changes anything."""

from django.db.models import Q, QuerySet

from integration.domain import clock
from integration.domain.errors import NotFound
from integration.domain.history import HistoryEntry, story
from integration.domain.identifiers import BuyerId, OrderNumber, Sku
from ordering.models import Buyer, Order, OrderStatus, Product


def discount_percent_of(buyer: BuyerId) -> int:
    """What the buyer's next order costs less, in hundredths; 0 for a buyer not known yet."""
    return Buyer.objects.filter(pk=buyer).values_list("discount_percent", flat=True).first() or 0


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
