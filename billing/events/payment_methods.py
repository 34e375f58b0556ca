"""What happened to the payment methods of buyers."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import BuyerId, PaymentMethodId
from integration.domain.personal import PersonalPaymentMethod, PersonalText


@domain_event("billing.payment_method_added", says="payment method {method} of the kind {kind} was added")
class PaymentMethodAdded(DomainEvent, kw_only=True):
    """A buyer keeps a payment method here. `token` is the provider's name of it, and never a card number."""

    method: PaymentMethodId
    buyer: BuyerId
    provider: str
    token: PersonalPaymentMethod
    kind: str
    brand: PersonalText
    last4: PersonalText
    expires: PersonalText


@domain_event("billing.payment_method_removed", says="payment method {method} was removed", erases=True)
class PaymentMethodRemoved(DomainEvent, kw_only=True):
    """The buyer removed it, or was erased; nothing of it is left."""

    method: PaymentMethodId
