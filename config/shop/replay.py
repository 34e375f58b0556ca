"""An invoice of a sales export becomes an order at most once. The correlation id of the order is a hash of the invoice,
so the order of an invoice can be looked up.

A replay can be stopped and repeated. Invoices that are orders are not placed again, and orders that have not ended are
carried on.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from uuid import UUID, uuid5
from zlib import crc32

from iso3166 import countries_by_alpha2

from config.shop.carry import TIMEOUT, carry_on
from config.shop.reversing import cancel, take_back
from config.shop.sales import Reversal, Sale
from config.shop.shipping import deliver, dispatch
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, Sku
from integration.domain.metadata import Cause, caused_by
from integration.storage.outages import repeated_after_outages
from ordering.commands import place_order
from ordering.models import MixedCurrencies, Order, Product

BATCH = 100
"""Orders that are in progress at the same time: enough for full batches of deliveries."""

INVOICES = UUID("8ac69c1a-4360-4048-910e-44515320d61e")
"""The UUID namespace of correlation ids made from invoices. If it changed, every invoice would be placed again."""

PAYS_ALWAYS = PaymentMethodId("pm_card_visa")


def story_of(sale: Sale) -> UUID:
    """The correlation id of the invoice's order. Two shops may use one number, but not with one customer and time."""
    return uuid5(INVOICES, f"{sale.invoice} {sale.customer} {sale.placed_at.isoformat()}")


@repeated_after_outages
def orders_of(sales: Sequence[Sale]) -> dict[UUID, OrderNumber]:
    """The orders of the sales that have been placed, by correlation id."""
    found: dict[UUID, OrderNumber] = {}
    for batch in _in_batches(sales):
        placed = Order.objects.filter(correlation_id__in=[story_of(sale) for sale in batch])
        found |= {story: OrderNumber(number) for story, number in placed.values_list("correlation_id", "pk")}
    return found


def check_currency(skus: Sequence[Sku], currency: str) -> None:
    """Raise `MixedCurrencies` if the shop sells one of these in another currency: an order has only one."""
    others = Product.objects.filter(pk__in=skus).exclude(currency=currency).order_by("pk")
    for sku, other in others.values_list("pk", "currency")[:1]:
        raise MixedCurrencies(f"product {sku} is sold in {other} here, so the export's prices cannot be in {currency}")


def goods_needed(sales: Iterable[Sale]) -> Counter[Sku]:
    """The units of each sku that these sales take."""
    needed: Counter[Sku] = Counter()
    for sale in sales:
        needed.update({Sku(line.sku): line.quantity for line in sale.lines})
    return needed


def replay(
    sales: Sequence[Sale],
    reversals: Sequence[Reversal] = (),
    *,
    ship: bool,
    timeout: timedelta = TIMEOUT,
    on_placed: Callable[[int], None],
    on_carried: Callable[[int], None],
) -> None:
    """Place the sales that are not orders yet, and carry the orders of all sales on until they rest.

    Args:
        reversals: what of the sales is cancelled, or comes back after its delivery.
        ship: whether to dispatch and deliver them, too. Otherwise all reversals are cancellations.
        on_placed, on_carried: called with how many more orders were placed, or came to rest.

    Raises:
        UnacceptableInput: the shop does not sell a product of a sale.
        NotCarriedThrough: as `carry_on` does.
    """
    of_sale: defaultdict[Sale, list[Reversal]] = defaultdict(list)
    for reversal in reversals:
        of_sale[reversal.sale].append(reversal)
    for batch in _in_batches(sales):
        placed = orders_of(batch)
        for sale in batch:
            if story_of(sale) not in placed:
                place(sale)
            on_placed(1)
        _carry(batch, [each for sale in batch for each in of_sale[sale]], ship, timeout)
        on_carried(len(batch))


@repeated_after_outages
def place(sale: Sale) -> None:
    """Place a sale as an order, unless it is one already."""
    story = Cause(correlation_id=story_of(sale), actor=f"sales-export:{sale.invoice}"[:80])
    with caused_by(story), unit_of_work() as work:
        # Another replay of this invoice waits for this lock, and then finds the order.
        work.get(Product, sale.lines[0].sku)
        if not Order.objects.filter(correlation_id=story.correlation_id).exists():
            lines = [(Sku(line.sku), line.quantity) for line in sale.lines]
            place_order(BuyerId(f"C-{sale.customer}"), lines, address_of(sale), PAYS_ALWAYS)


def _carry(batch: Sequence[Sale], reversals: Sequence[Reversal], ship: bool, timeout: timedelta) -> None:
    sales = {story_of(sale): sale for sale in batch}
    carry_on(sales, timeout)
    orders = {sales[story]: number for story, number in orders_of(batch).items()}
    cancel([each for each in reversals if each.is_same_day or not ship], orders)
    carry_on(sales, timeout)
    if ship:
        invoices = {number: sale.invoice[:80] for sale, number in orders.items()}
        dispatch(invoices, "sales-export")
        carry_on(sales, timeout)
        deliver(invoices, "sales-export")
        carry_on(sales, timeout)
        take_back([each for each in reversals if not each.is_same_day], orders)
        carry_on(sales, timeout)


STREETS = (
    "Station Road",
    "Mill Lane",
    "Church Street",
    "Harbour View",
    "Orchard Close",
    "Market Place",
    "Bridge Street",
)


def address_of(sale: Sale) -> Address:
    """A made-up address in the customer's country, always the same one: an export has no addresses."""
    number = crc32(sale.customer.encode())
    return Address(
        recipient=f"Customer {sale.customer}",
        street=f"{number % 199 + 1} {STREETS[number % len(STREETS)]}",
        city=f"A town in {countries_by_alpha2[sale.country].apolitical_name}"[:100],
        postal_code=f"{number % 100_000:05}",
        country=sale.country,
    )


def _in_batches(sales: Sequence[Sale]) -> Iterable[Sequence[Sale]]:
    return (sales[start : start + BATCH] for start in range(0, len(sales), BATCH))
