"""Metadata says why an event happened: which story it belongs to, what caused it, and who started the story.

A story is all events with one correlation id. A context variable carries the current `Cause` across the dispatcher and,
through deliveries, from one context to the next. No function has to pass it on.
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


# `gc=False` here, in `Metadata` and in `Recorded`: a frozen struct that refers only to older objects cannot be part of
# a reference cycle, so the garbage collector need not track it.
class Cause(Struct, frozen=True, kw_only=True, gc=False):
    """What new events name as their cause.

    Args:
        correlation_id: the story.
        causation_id: the event that is the cause; None at the start of a story.
        actor: who started the story, such as `user:12` or `system`.
        traceparent: the W3C trace context, if there is one.
        chain: the wire names of the domain events that led here inside this unit of work, oldest first.
    """

    correlation_id: UUID
    causation_id: UUID | None = None
    actor: str = "system"
    traceparent: str | None = None
    chain: tuple[str, ...] = ()


class Metadata(Struct, frozen=True, kw_only=True, gc=False):
    """Everything about a domain event except its facts.

    Args:
        id: the event's UUIDv7.
        occurred_at: when it happened, in UTC.
        version: its number among the events of its aggregate, from 1.
        correlation_id, causation_id, actor, traceparent, chain: as in the `Cause` in whose scope it was recorded.
    """

    id: UUID
    occurred_at: datetime
    version: int
    correlation_id: UUID
    causation_id: UUID | None
    actor: str
    traceparent: str | None
    chain: tuple[str, ...] = ()

    def as_cause(self, wire_name: str) -> Cause:
        """Return the `Cause` of everything that is done because of the event with this metadata and wire name."""
        return Cause(
            correlation_id=self.correlation_id,
            causation_id=self.id,
            actor=self.actor,
            traceparent=self.traceparent,
            chain=(*self.chain, wire_name),
        )


class HasCause(Protocol):
    """An object that makes its `Cause` on request. Most handlers never read the cause, so it is not made in advance."""

    def as_cause(self) -> Cause:
        """Return the `Cause` of everything that is done because of this object."""


_cause: ContextVar[Cause | HasCause | None] = ContextVar("cause", default=None)

set_cause = _cause.set
"""Set the current cause. Callers wrap this in `preserve_cause`, which restores the previous one."""


def current_cause() -> Cause:
    """Return the current cause. If none is set, return the cause of a new story."""
    cause = _cause.get()
    if cause is None:
        return Cause(correlation_id=new_event_id())
    return cause if isinstance(cause, Cause) else cause.as_cause()


class caused_by:
    """Context manager that makes `cause` the current cause inside the block."""

    # A class, because a generator-based context manager would take as long as recording an event.
    def __init__(self, cause: Cause | HasCause | None) -> None:
        self._cause = cause

    def __enter__(self) -> None:
        self._token = _cause.set(self._cause)

    def __exit__(self, *error: object) -> None:
        _cause.reset(self._token)


def preserve_cause() -> caused_by:
    """Return a context manager that restores the current cause on exit."""
    return caused_by(_cause.get())


@contextmanager
def new_story(actor: str = "system", traceparent: str | None = None) -> Iterator[Cause]:
    """Start a new story for everything inside the block.

    Args:
        actor: who starts it.
        traceparent: the W3C trace context, if there is one.

    Returns:
        the cause of the story.
    """
    cause = Cause(correlation_id=new_event_id(), actor=actor, traceparent=traceparent)
    with caused_by(cause):
        yield cause


def join_story(correlation_id: UUID) -> None:
    """Make a story that has just started part of an existing story.

    An operator's request to dispatch a shipment starts without a cause; the shipment knows the story of its order. If
    the current cause is an event, nothing changes.
    """
    cause = _cause.get()
    if isinstance(cause, Cause) and cause.causation_id is None:
        _cause.set(replace(cause, correlation_id=correlation_id))


def has_cause() -> bool:
    """Return whether a story has been started."""
    return _cause.get() is not None


def act_as(actor: str) -> None:
    """Set the actor of the current story once it is known. If the current cause is an event, its actor stays."""
    cause = _cause.get()
    if isinstance(cause, Cause) and cause.causation_id is None:
        _cause.set(replace(cause, actor=actor))
