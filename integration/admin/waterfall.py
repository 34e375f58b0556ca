"""A story as a waterfall: when each aggregate worked, and when it waited.

Most of an order's life is waiting: for a bank, a carrier, a person. On a scale that is true to time all work would be
a few dots. So the scale counts steps: each moment has the same share of the width, and a pause that of three moments.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any

from integration.admin.columns import sentence_of
from integration.admin.history import about
from integration.admin.steps import PAUSE
from integration.history.entries import HistoryEntry
from integration.messaging.retries import duration_words

PAUSE_WIDTH = 3
"""The width of a pause, where the width of a moment is 1."""
MOST_TRACKS = 40
"""The number of aggregates that are shown. An order of 2,000 SKUs has a stock item for each."""
NARROWEST_WITH_TEXT = 6.0
"""The width of a pause in percent from which its duration fits in."""


def waterfall(entries: Sequence[HistoryEntry]) -> dict[str, Any]:
    """The tracks of the waterfall, one for each aggregate in the order of their first steps, and its pauses."""
    places = _places({entry.occurred_at for entry in entries})
    tracks: dict[tuple[str, str, str], list[HistoryEntry]] = {}
    for entry in entries:
        tracks.setdefault((entry.context, entry.stream, entry.stream_id), []).append(entry)
    shown = [_track(steps, places) for steps in [*tracks.values()][:MOST_TRACKS]]
    return {"tracks": shown, "pauses": _pauses(places), "left_out": max(0, len(tracks) - MOST_TRACKS)}


def _places(moments: set[datetime]) -> Mapping[datetime, float]:
    """Where each moment is, in percent of the width, oldest first."""
    in_order = sorted(moments)
    widths = [PAUSE_WIDTH if later - earlier > PAUSE else 1 for earlier, later in pairwise(in_order)]
    starts = accumulate(widths, initial=0.5)
    whole = sum(widths) + 1
    return {moment: round(100 * start / whole, 3) for moment, start in zip(in_order, starts, strict=False)}


def _pauses(places: Mapping[datetime, float]) -> list[dict[str, Any]]:
    return [
        {"at": round((places[earlier] + places[later]) / 2, 3), "text": duration_words(later - earlier)}
        for earlier, later in pairwise(places)
        if later - earlier > PAUSE and places[later] - places[earlier] >= NARROWEST_WITH_TEXT
    ]


def _track(steps: Sequence[HistoryEntry], places: Mapping[datetime, float]) -> dict[str, Any]:
    in_order = sorted(steps, key=lambda step: step.occurred_at)
    moments = [step.occurred_at for step in in_order]
    spans = [(places[earlier], places[later], later - earlier) for earlier, later in pairwise(moments)]
    waited = sum((took for _, _, took in spans if took > PAUSE), timedelta(0))
    return {
        "context": steps[0].context,
        "about": about(steps[0]),
        "waited": duration_words(waited) if waited else "",
        "spans": [
            {"x": start, "width": round(end - start, 3), "kind": "waits" if took > PAUSE else "works"}
            for start, end, took in spans
            if end > start
        ],
        "marks": [{"id": step.id, "x": places[step.occurred_at], "title": sentence_of(step)} for step in in_order],
    }
