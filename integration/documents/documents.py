"""The texts of all generated documents, by path."""

import json

from django.conf import settings

from integration.aggregates.rebuild import aggregates
from integration.contracts.contract import contracts
from integration.contracts.registry import context_of
from integration.documents import context_map, order_journey, state_diagram
from integration.documents.asyncapi import asyncapi
from integration.documents.costs_page import costs_page
from integration.documents.events_page import events_page
from integration.documents.roles_page import roles_page
from integration.messaging.consumers import consumers_of


def documents() -> dict[str, str]:
    """The texts of all documents, by their path relative to the project's folder."""
    return {
        "docs/events.md": events_page(),
        "docs/costs.md": costs_page(),
        "docs/roles.md": roles_page(),
        "docs/asyncapi.json": json.dumps(asyncapi(), indent=2, ensure_ascii=False) + "\n",
        **{f"docs/pictures/{name}.svg": picture for name, picture in pictures().items()},
    }


def pictures() -> dict[str, str]:
    """SVG by file name without suffix: an order's journey, the context map, and a diagram of every state table."""
    contexts = settings.CONTEXTS
    events = sorted((event for _, event in contracts.items()), key=lambda event: _place(event.wire_name))
    return {
        "order-journey": order_journey.draw(contexts),
        "context-map": context_map.draw(contexts, [(event, consumers_of(event)) for event in events]),
        **{
            f"states-of-{model.stream.replace('_', '-')}": state_diagram.draw(model.__name__, model.life)
            for model in aggregates()
            if model.life
        },
    }


def _place(name: str) -> tuple[int, str]:
    return settings.CONTEXTS.index(context_of(name)), name
