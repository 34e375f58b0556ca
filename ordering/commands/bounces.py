"""Commands about letters that did not reach the buyer."""

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import NotFound
from integration.domain.identifiers import OrderNumber
from integration.domain.metadata import join_story
from ordering.models import BounceOutcome, LetterBounce, Order


def note_bounce(letter: str, order: OrderNumber, kind: str, reason: str) -> None:
    """Record that a letter did not arrive, as a task for a person; a second report of the same letter changes nothing.

    Args:
        letter: the letter, by the first part of its Message-ID.
        kind: what the letter was about, such as `confirmed`.
        reason: the mail service's reason in one word.

    Raises:
        NotFound: there is no such order.
    """
    story = Order.objects.filter(pk=order).values_list("correlation_id", flat=True).first()
    if story is None:
        raise NotFound(f"there is no order {order}")
    with unit_of_work() as work:
        join_story(story)
        if work.find(LetterBounce, letter) is None:
            work.add(LetterBounce.note(letter, order, kind, reason))


def close_bounce(letter: str, outcome: BounceOutcome) -> None:
    """Record that a person dealt with a letter that did not arrive; do nothing if that was recorded before.

    Args:
        outcome: what the person did.

    Raises:
        NotFound: no letter with this identifier bounced.
    """
    with unit_of_work() as work:
        work.get(LetterBounce, letter).close(outcome)
