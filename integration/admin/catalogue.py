"""The event catalogue for operators: what each event means, and how the contexts and their aggregates hang together."""

import json
from typing import Any

from django.urls import reverse
from django.utils.safestring import mark_safe

from integration.documents.catalogue import Entry, all_contracts, all_domain_events
from integration.documents.documents import pictures


def page_of_events() -> dict[str, Any]:
    """What the page shows: all events, and all pictures."""
    return {
        "title": "Events",
        "kinds": [
            ("Contracts: what the contexts tell each other", list(map(_shown, all_contracts()))),
            ("Domain events: what happens inside of them", list(map(_shown, all_domain_events()))),
        ],
        # They are drawn by us, and escape whatever they write.
        "pictures": [mark_safe(picture) for picture in pictures().values()],  # noqa: S308 - drawn by us, of names of the code
    }


def url_of_event(name: str) -> str:
    """The address of the catalogue, at one event."""
    return f"{reverse('admin:integration_events')}#{name}"


def _shown(entry: Entry) -> dict[str, Any]:
    return {**entry._asdict(), "example": json.dumps(entry.example, indent=2, ensure_ascii=False)}
