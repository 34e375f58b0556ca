"""The domain events of letters that did not reach the buyer. They stay inside ordering."""

from integration.domain.events import DomainEvent, domain_event
from integration.domain.identifiers import OrderNumber


@domain_event("ordering.letter_bounced", says="the letter {kind} about order {order} did not arrive: {reason}")
class LetterBounced(DomainEvent, kw_only=True):
    """The mail service could not deliver a letter, or the recipient complained about it.

    Args:
        letter: the letter, by the first part of its Message-ID.
        kind: what the letter was about, such as `confirmed`.
        reason: the mail service's reason in one word, such as `invalid` or `spam`.
    """

    letter: str
    order: OrderNumber
    kind: str
    reason: str


@domain_event("ordering.letter_bounce_closed", says="a person dealt with the letter about order {order}: {outcome}")
class LetterBounceClosed(DomainEvent, kw_only=True):
    """A person dealt with a letter that did not arrive; `outcome` says how."""

    order: OrderNumber
    outcome: str
