"""The steps of a story for a reader: one sentence each, who or what caused it, and the data that the reader may see.

A reader sees the steps of the contexts whose history they may view, and reads how many others there are.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Max
from django.http import HttpRequest

from integration.admin.causes import by, look_up_causes
from integration.admin.columns import Shown, exact_moment, link, preformatted, sentence_of
from integration.admin.history import about, may_see_personal
from integration.admin.relatives import aggregates_by_stream
from integration.admin.viewer import name_of, user_key
from integration.aggregates.aggregate import OfOneStory
from integration.domain.events import domain_events
from integration.history.entries import HistoryEntry
from integration.history.shown import shown_facts
from integration.history.story import story
from integration.messaging.retries import duration_words

PAUSE = timedelta(seconds=5)
"""How long nothing must happen for it to count as waiting and not as work."""
MOST_STEPS = 500
"""The number of steps that a page shows. An order of 2,000 SKUs has more."""

Erasures = dict[tuple[str, str, str], int]


class Steps(NamedTuple):
    """The steps that a reader may see, each after its cause, and of each other context how many there are.

    `known` has all of them, for what a page shows of its own context in another place.
    """

    entries: list[HistoryEntry]
    known: list[HistoryEntry]
    hidden: dict[str, int]
    left_out: int


def steps_of(request: HttpRequest, correlation_id: UUID) -> Steps:
    """Read the steps of a story; the number of statements does not depend on how many there are."""
    entries = story(correlation_id)
    seen = {context for context in {entry.context for entry in entries} if _may_see(request, context)}
    shown = [entry for entry in entries if entry.context in seen]
    look_up_causes(shown[:MOST_STEPS], entries)
    hidden = Counter(entry.context for entry in entries if entry.context not in seen)
    return Steps(shown[:MOST_STEPS], entries, dict(sorted(hidden.items())), max(0, len(shown) - MOST_STEPS))


def _may_see(request: HttpRequest, context: str) -> bool:
    return request.user.has_perm(f"{context}.view_history")


def listed(entries: Sequence[HistoryEntry]) -> Iterator[dict[str, Any]]:
    """The steps as the page lists them, with a row for each pause between two of them."""
    erasures = _erasures(entries)
    last: datetime | None = None
    for entry in entries:
        if last and entry.occurred_at - last > PAUSE:
            yield {"pause": duration_words(entry.occurred_at - last), "until": _ended_by(entry)}
        last = max(last or entry.occurred_at, entry.occurred_at)
        yield {
            "id": entry.id,
            "context": entry.context,
            "sentence": sentence_of(entry),
            "about": about(entry),
            "name": link(type(entry), entry.id, entry.name),
            "at": exact_moment(entry.occurred_at, "milliseconds"),
            "by": by(entry),
            "after": _after(entry),
            "facts": _facts(entry, erasures),
        }


def _ended_by(entry: HistoryEntry) -> str:
    """What ended a pause, as the end of a sentence."""
    if entry.causation_id:
        return "until a message was handled"
    return "until a deadline or a routine" if entry.actor == "system" else f"for {_person(entry.actor)}"


def _person(actor: str) -> str:
    return name_of(actor) if user_key(actor) else name_of(actor) or "somebody"


def _after(entry: HistoryEntry) -> str:
    """How long after its cause it happened; empty for a step without a cause."""
    cause = vars(entry).get("cause_entry")
    if cause is None:
        return ""
    return in_words(max(timedelta(0), entry.occurred_at - cause.occurred_at))


def in_words(duration: timedelta) -> str:
    """A duration with the precision of a step: milliseconds if it is shorter than a second."""
    if duration < timedelta(seconds=1):
        return f"{duration / timedelta(milliseconds=1):.0f} ms"
    return duration_words(duration)


def _facts(entry: HistoryEntry, erasures: Erasures) -> Shown:
    is_erased = entry.version < erasures.get((entry.context, entry.stream, entry.stream_id), 0)
    facts = shown_facts(entry, may_see=may_see_personal(entry), is_erased=is_erased)
    return preformatted(json.dumps(facts, indent=2, ensure_ascii=False))


def _erasures(entries: Sequence[HistoryEntry]) -> Erasures:
    """The version of each aggregate's last erasure.

    The events of an aggregate of one story are all there. Only of others a context is asked, in one query each.
    """
    erasing = {name for name, event in domain_events.items() if event.erases}
    found: Erasures = {}
    asked: dict[type[HistoryEntry], set[tuple[str, str]]] = defaultdict(set)
    for entry in entries:
        key = (entry.context, entry.stream, entry.stream_id)
        if entry.name in erasing:
            found[key] = max(found.get(key, 0), entry.version)
        if not _is_of_one_story(entry):
            asked[type(entry)].add((entry.stream, entry.stream_id))
    for history, streams in asked.items():
        own = [name for name in erasing if name.startswith(f"{history._meta.app_label}.")]
        if own:
            last = history.objects.filter(
                stream__in={stream for stream, _ in streams}, stream_id__in={key for _, key in streams}, name__in=own
            )
            versions = last.order_by().values_list("stream", "stream_id").annotate(Max("version"))
            found.update({(history._meta.app_label, stream, key): version for stream, key, version in versions})
    return found


def _is_of_one_story(entry: HistoryEntry) -> bool:
    model = aggregates_by_stream().get((entry.context, entry.stream))
    return model is not None and issubclass(model, OfOneStory)
