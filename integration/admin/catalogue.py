"""The event catalogue for operators: the meaning of each event, the context map, and the state diagrams."""

import json
from typing import Any

from django.urls import reverse
from django.utils.safestring import mark_safe

from integration.documents.catalogue import Entry, all_contracts, all_domain_events
from integration.documents.documents import pictures


def page_of_events() -> dict[str, Any]:
    """The template context of the page: all events and all pictures."""
    return {
        "title": "Events",
        "kinds": [
            ("Contracts: messages that one context publishes for the others", list(map(_shown, all_contracts()))),
            ("Domain events: changes inside one context", list(map(_shown, all_domain_events()))),
        ],
        # `svg.Picture` escapes every text it writes.
        "pictures": [mark_safe(picture) for picture in pictures().values()],  # noqa: S308 - only names from the code
    }


def url_of_event(name: str) -> str:
    """The URL of the catalogue, with the event as its fragment."""
    return f"{reverse('admin:integration_events')}#{name}"


def _shown(entry: Entry) -> dict[str, Any]:
    return {**entry._asdict(), "example": json.dumps(entry.example, indent=2, ensure_ascii=False)}
