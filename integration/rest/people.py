"""Who caused something: a person by name, or for an automatic step the event or the time that was its reason."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.contrib.auth import get_user_model

from integration.history.entries import HistoryEntry
from integration.rest.middleware import actor_of

NAMES = {
    "anonymous": "somebody who is not logged in",
    "system": "automatically",
    "payment provider": "the payment provider",
    "carrier": "the carrier",
    "": "",
}
"""The names of actors that are no users of this shop."""
SHOP = "the shop"
"""What stands for a member of staff in what a buyer reads."""
GUEST = "a guest"
"""What stands for somebody who ordered without an account."""


def user_key(actor: str) -> int | None:
    """The primary key of the user that an actor such as `user:12` is; None if it is no user."""
    kind, _, key = actor.partition(":")
    return int(key) if kind == "user" and key.isdecimal() and len(key) < 19 else None


def names_of(actors: Collection[str]) -> dict[str, str]:
    """What people call the users among the actors: full name or username. This takes one query, if there are any."""
    wanted = {key: actor for actor in actors if (key := user_key(actor)) is not None}
    if not wanted:
        return {}
    users: Any = get_user_model().objects.filter(pk__in=wanted)
    known = {user.pk: user.get_full_name() or user.get_username() for user in users}
    return {actor: known.get(key, f"user {key}, who is deleted") for key, actor in wanted.items()}


def who_caused(entries: Sequence[HistoryEntry], viewer: Any, *, sees_people: bool) -> Iterator[str]:
    """For each event, who caused it or why it happened automatically.

    Args:
        entries: the events, and among them their causes.
        viewer: the user who asks, and who always reads their own name.
        sees_people: whether the viewer may read the names of others. If not, another user is "the shop".
    """
    own = actor_of(viewer)
    people = {own: viewer.get_full_name() or viewer.get_username()} if user_key(own) else {}
    if sees_people:
        people |= names_of({entry.actor for entry in entries if not entry.causation_id} - {own})
    causes = {entry.id: entry.summary for entry in entries}
    for entry in entries:
        if entry.causation_id:
            because = causes.get(entry.causation_id, f"of event {entry.causation_id}")
            yield f"automatically, because {because[:1].lower()}{because[1:]}"
        elif entry.actor == "system":
            yield "automatically, because its time had come"
        else:
            yield people.get(entry.actor) or _in_words(entry.actor)


def _in_words(actor: str) -> str:
    """An actor whose name the viewer may not read, or who has none."""
    if actor.startswith("guest:"):
        return GUEST
    return SHOP if user_key(actor) else NAMES.get(actor, actor)
