"""The terms of placed orders: which of their products were exempt from the right of withdrawal."""

from collections.abc import Collection
from datetime import datetime

from integration.domain.identifiers import Sku
from ordering.events import ProductTermsChanged
from ordering.models import History, Product


def exempt_products(skus: Collection[Sku], moment: datetime) -> set[Sku]:
    """Which of these products were exempt from the right of withdrawal at a moment, by their histories.

    One statement. So an order stores nothing about it, and a later change of a product changes no placed order.
    """
    changes = History.objects.filter(
        stream=Product.stream, stream_id__in=skus, name=ProductTermsChanged.wire_name, occurred_at__lte=moment
    )
    terms = {Sku(entry.stream_id): entry.event for entry in changes.order_by("version")}
    return {sku for sku, event in terms.items() if event.withdrawal_exempt}
