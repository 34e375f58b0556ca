"""The domain events of products."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import Sku
from integration.domain.money import Money


@domain_event("ordering.product_listed", says="product {sku} was listed at {price}")
class ProductListed(DomainEvent, kw_only=True):
    """A product was listed for sale for the first time."""

    sku: Sku
    name: str
    description: str
    price: Money


@domain_event("ordering.product_changed", says="product {key} was changed, at {price}")
class ProductChanged(DomainEvent, kw_only=True):
    """A product got a new name, description or price, or was put on sale or taken off sale."""

    name: str
    description: str
    price: Money
    on_sale: bool


@domain_event("ordering.product_terms_changed", says="product {key} became {tax_class} for tax, of {weight_g} g")
class ProductTermsChanged(DomainEvent, kw_only=True):
    """A product got a tax class, the weight of a unit in grams, or an exemption from the right of withdrawal."""

    tax_class: str
    weight_g: int
    withdrawal_exempt: bool


@domain_event("ordering.product_availability_changed", says="product {key} became {availability}")
class ProductAvailabilityChanged(DomainEvent, kw_only=True):
    """Inventory published a new availability; `sequence` is inventory's number of the change."""

    availability: str
    sequence: int
