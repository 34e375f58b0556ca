"""A letter that did not reach the buyer: a task for a person, and the state table of these tasks."""

from typing import ClassVar, Self

from django.db import models

from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.identifiers import OrderNumber
from integration.domain.states import IGNORE, StateTable, by_state
from ordering import events


class BounceStatus(models.TextChoices):
    """Whether a person has dealt with a letter that did not arrive."""

    OPEN = "open"
    CLOSED = "closed"


class BounceOutcome(models.TextChoices):
    """What a person did about a letter that did not arrive. A choice, so that no personal data is written down."""

    ADDRESS_CORRECTED = "address_corrected"
    REACHED_OTHERWISE = "reached_otherwise", "buyer reached in another way"
    NOT_REACHED = "not_reached", "buyer could not be reached"
    NOTHING_NEEDED = "nothing_needed"


OPEN, CLOSED = (status.value for status in BounceStatus)
_row = by_state(BounceStatus)

BOUNCE_LIFE = StateTable(
    BounceStatus,
    {
        # message   open    closed
        "close": _row(CLOSED, IGNORE),
    },
)  # fmt: skip


class LetterBounce(OfOneStory):
    """A letter that did not arrive; its identifier is the letter's. It holds neither the address nor the text."""

    stream = "letter_bounce"
    life = BOUNCE_LIFE

    id = models.CharField("letter", max_length=40, primary_key=True)
    order = models.CharField(max_length=24, db_index=True)
    kind = models.CharField(max_length=40)
    reason = models.CharField(max_length=40)
    status = models.CharField(max_length=6, choices=BounceStatus, default=BounceStatus.OPEN, db_index=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"letter {self.kind} about {self.order}"

    @classmethod
    def note(cls, letter: str, order: OrderNumber, kind: str, reason: str) -> Self:
        """A new task: the letter did not arrive, for the mail service's reason."""
        bounce = cls()
        bounce.record(events.LetterBounced(letter=letter, order=order, kind=kind, reason=reason))
        return bounce

    def close(self, outcome: BounceOutcome) -> None:
        """Record that a person dealt with it, and how; do nothing if somebody has already."""
        if self.accepts("close"):
            self.record(events.LetterBounceClosed(order=OrderNumber(self.order), outcome=outcome.value))

    @applies(events.LetterBounced)
    def _bounced(self, event: events.LetterBounced) -> None:
        self.id, self.order, self.kind, self.reason = event.letter, event.order, event.kind, event.reason

    @applies(events.LetterBounceClosed)
    def _closed(self, event: events.LetterBounceClosed) -> None:
        self.status = BounceStatus.CLOSED
