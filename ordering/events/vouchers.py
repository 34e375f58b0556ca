"""The domain events of vouchers and of their claims. They stay inside ordering."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.money import Money
from integration.domain.personal import PersonalText


class VoucherTerms(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a voucher takes off, for whom and when.

    Args:
        kind: `percent`, `amount` or `free_shipping`.
        minimum: the lowest subtotal for which the voucher is valid.
        limit: how many orders may use the voucher; None for any number.
        limit_per_buyer: how many orders of one buyer may use the voucher; None for any number.
        exclusive: whether the voucher allows no other discount.
    """

    name: str
    kind: str
    percent: Decimal | None = None
    amount: Money | None = None
    minimum: Money | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    limit: int | None = None
    limit_per_buyer: int | None = None
    exclusive: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether the number of orders that may use the voucher is limited, in all or per buyer."""
        return self.limit is not None or self.limit_per_buyer is not None


@domain_event("ordering.voucher_created", says="voucher {key} was created")
class VoucherCreated(DomainEvent, kw_only=True):
    """Staff created a voucher."""

    voucher: str
    terms: VoucherTerms


@domain_event("ordering.voucher_changed", says="the terms of voucher {key} were changed")
class VoucherChanged(DomainEvent, kw_only=True):
    """Staff changed the terms of a voucher for new orders; the event holds all terms."""

    terms: VoucherTerms


@domain_event("ordering.voucher_counted", says="a use of voucher {key} was counted for order {order}")
class VoucherCounted(DomainEvent, kw_only=True):
    """The claims of a limited voucher changed because of an order; `held` and `redeemed` are their numbers now."""

    order: OrderNumber
    held: int
    redeemed: int


@domain_event("ordering.voucher_held", says="voucher {voucher} was reserved for order {order}")
class VoucherHeld(DomainEvent, kw_only=True):
    """An order was placed with a voucher.

    Args:
        email_hash: the keyed hash of a guest's e-mail address; empty for a buyer with an account.
        is_counted: whether the voucher is limited, so that its counters have the claim.
    """

    voucher: str
    order: OrderNumber
    buyer: BuyerId
    email_hash: PersonalText
    is_counted: bool


@domain_event("ordering.voucher_redeemed", says="voucher {voucher} was redeemed for order {order}")
class VoucherRedeemed(DomainEvent, kw_only=True):
    """The order that claims the voucher was confirmed."""

    voucher: str
    order: OrderNumber


@domain_event("ordering.voucher_released", says="voucher {voucher} was released by order {order}")
class VoucherReleased(DomainEvent, kw_only=True):
    """The whole order that claims the voucher was cancelled, so that another order can use the voucher."""

    voucher: str
    order: OrderNumber


@domain_event(
    "ordering.voucher_claim_anonymized",
    says="the claim of order {order} on voucher {voucher} was anonymized",
    erases=True,
)
class VoucherClaimAnonymized(DomainEvent, kw_only=True):
    """The guest who used the voucher was erased; the claim retains the voucher and the order."""

    voucher: str
    order: OrderNumber
