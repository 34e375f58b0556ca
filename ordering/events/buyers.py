"""The domain events of buyers."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.money import Money
from integration.domain.personal import PersonalAddressIfAny, PersonalText


@domain_event("ordering.buyer_registered", says="buyer {buyer} was registered")
class BuyerRegistered(DomainEvent, kw_only=True):
    """A buyer registered, or was registered with their first order or request."""

    buyer: BuyerId
    user: int | None
    name: PersonalText
    email: PersonalText
    currency: str


@domain_event("ordering.buyer_profile_changed", says="buyer {key} changed their profile")
class BuyerProfileChanged(DomainEvent, kw_only=True):
    """A buyer changed their profile; the fields hold the whole new profile."""

    name: PersonalText
    email: PersonalText
    default_shipping_address: PersonalAddressIfAny
    locale: str
    email_notifications: bool


@domain_event(
    "ordering.buyer_spend_changed", says="the spend of buyer {buyer} became {spend} with order {order}: {change}"
)
class BuyerSpendChanged(DomainEvent, kw_only=True):
    """A confirmed order raised the buyer's lifetime spend, or its refund or cancellation lowered it."""

    buyer: BuyerId
    order: OrderNumber
    change: Money
    spend: Money


@domain_event("ordering.buyer_discount_changed", says="the discount of buyer {key} became {percent} % ({reason})")
class BuyerDiscountChanged(DomainEvent, kw_only=True):
    """The discount on the buyer's new orders changed to `percent` %."""

    percent: int
    reason: str


@domain_event("ordering.buyer_erased", says="buyer {buyer} was erased ({orders})", erases=True)
class BuyerErased(DomainEvent, kw_only=True):
    """The personal data of the buyer and of these orders was erased."""

    buyer: BuyerId
    orders: tuple[OrderNumber, ...]
