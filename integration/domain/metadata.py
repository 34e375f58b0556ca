"""Why something happens: the story it belongs to, what caused it, and who began it.

The current `Cause` is carried by a context variable across the dispatcher and, through deliveries, from one context to
the next, so that no function has to hand it on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from integration.domain.identifiers import new_event_id


# Here, and where an event is recorded: what is frozen and holds only what was there before is part of no cycle, so the
# garbage collector need not look at it.
class Cause(Struct, frozen=True, kw_only=True, gc=False):
    """What whatever happens now will name as its reason.

    Args:
        correlation_id: the whole story.
        causation_id: the event that caused it; none at the beginning of a story.
        actor: who began it, such as `user:12` or `system`.
        traceparent: the W3C trace it belongs to, if any.
        chain: the wire names of the domain events that led here inside this unit of work, oldest first.
    """

    correlation_id: UUID
    causation_id: UUID | None = None
    actor: str = "system"
    traceparent: str | None = None
    chain: tuple[str, ...] = ()


class Metadata(Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a domain event besides what happened."""

    id: UUID
    occurred_at: datetime
    version: int
    correlation_id: UUID
    causation_id: UUID | None
    actor: str
    traceparent: str | None
    chain: tuple[str, ...] = ()

    def as_cause(self, wire_name: str) -> Cause:
        """The cause of whatever is done because of the event with this metadata."""
        return Cause(
            correlation_id=self.correlation_id,
            causation_id=self.id,
            actor=self.actor,
            traceparent=self.traceparent,
            chain=(*self.chain, wire_name),
        )


class HasCause(Protocol):
    """What becomes a `Cause` when somebody asks for it; most handlers of an event never do."""

    def as_cause(self) -> Cause:
        """The cause of whatever is done because of this."""


_cause: ContextVar[Cause | HasCause | None] = ContextVar("cause", default=None)

because_of = _cause.set
"""Whatever happens from now on happens because of this; for whoever has the cause put back."""


def current_cause() -> Cause:
    """The cause in force; where nobody set one, a story begins here."""
    cause = _cause.get()
    if cause is None:
        return Cause(correlation_id=new_event_id())
    return cause if isinstance(cause, Cause) else cause.as_cause()


class caused_by:
    """Whatever happens inside happens because of `cause`."""

    # No generator, for one would cost as much as all that is done to record an event.
    def __init__(self, cause: Cause | HasCause | None) -> None:
        self._cause = cause

    def __enter__(self) -> None:
        self._token = _cause.set(self._cause)

    def __exit__(self, *error: object) -> None:
        _cause.reset(self._token)


def cause_put_back() -> caused_by:
    """Have the cause in force afterwards that is in force now."""
    return caused_by(_cause.get())


@contextmanager
def new_story(actor: str = "system", traceparent: str | None = None) -> Iterator[Cause]:
    """Whatever happens inside belongs to a story that begins here."""
    cause = Cause(correlation_id=new_event_id(), actor=actor, traceparent=traceparent)
    with caused_by(cause):
        yield cause


def join_story(correlation_id: UUID) -> None:
    """Let a story that has only just begun become part of the one it turns out to belong to.

    An operator's request to dispatch a shipment begins without a cause; the shipment tells which order's story it is.
    A cause that is itself an event stays what it is.
    """
    cause = _cause.get()
    if isinstance(cause, Cause) and cause.causation_id is None:
        _cause.set(replace(cause, correlation_id=correlation_id))


def has_cause() -> bool:
    """Whether a story is being told already."""
    return _cause.get() is not None


def act_as(actor: str) -> None:
    """Name who began what happens now, once that is known; what an event caused keeps its actor."""
    cause = _cause.get()
    if isinstance(cause, Cause) and cause.causation_id is None:
        _cause.set(replace(cause, actor=actor))
