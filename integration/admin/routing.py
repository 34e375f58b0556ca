"""The page of routing: who gets an event, and why. It is read from what the code has registered."""

from collections.abc import Callable, Iterator
from inspect import getdoc, unwrap
from typing import Any

from django.urls import reverse

from integration.admin.columns import Shown, link
from integration.contracts.contract import IntegrationEvent, contracts
from integration.domain.dispatcher import handlers_of
from integration.domain.events import domain_events
from integration.messaging.consumer_states import states
from integration.messaging.consumers import Consumer, consumers_of
from integration.messaging.models import ConsumerState
from integration.messaging.retries import duration_words
from integration.webhooks.models import EndpointStatus, WebhookEndpoint


def page_of_routing(event: str) -> dict[str, Any]:
    """The template context of the page.

    Args:
        event: the wire name of the event to show; all events if there is none of this name.
    """
    all_names = [name for name, _ in (*contracts.items(), *domain_events.items())]
    chosen = event if event in all_names else ""
    all_states, endpoints = states(), list(WebhookEndpoint.objects.filter(status=EndpointStatus.ENABLED))
    return {
        "title": f"Who gets {chosen}" if chosen else "Routing",
        "chosen": chosen,
        "names": sorted(all_names),
        "kinds": [
            (
                "Contracts, delivered to consumers, each by itself and with retries",
                [
                    (name, _about(kind), [*_consumers(kind, all_states), *_endpoints(name, endpoints)])
                    for name, kind in contracts.items()
                    if name == chosen or not chosen
                ],
            ),
            (
                "Domain events, handled in the transaction that records them",
                [
                    (name, _about(kind), list(_handlers(kind)))
                    for name, kind in domain_events.items()
                    if name == chosen or (not chosen and handlers_of(kind))
                ],
            ),
        ],
    }


def url_of_routing(event: str) -> str:
    """The URL of the page for one event."""
    return reverse("admin:integration_routing", query={"event": event})


def _consumers(contract: type[IntegrationEvent], all_states: dict[str, ConsumerState]) -> Iterator[dict[str, Any]]:
    for consumer in consumers_of(contract):
        state = all_states[consumer.name]
        yield {
            "who": link(ConsumerState, state.pk, consumer.name),
            "why": _why(consumer.handle),
            "how": _how(consumer),
            "where": _place(consumer.handle),
            "paused": state.reason if state.is_paused else "",
        }


def _endpoints(name: str, endpoints: list[WebhookEndpoint]) -> Iterator[dict[str, Any]]:
    for endpoint in endpoints:
        if endpoint.wants(name):
            who: Shown = link(WebhookEndpoint, endpoint.pk, str(endpoint))
            yield {
                "who": who,
                "why": "Registered for this event.",
                "how": "webhook or broker, with retries",
                "where": "",
            }


def _handlers(event: type[Any]) -> Iterator[dict[str, Any]]:
    for handler in handlers_of(event):
        how = "same transaction: if it fails, the event has not happened"
        yield {"who": _name(handler), "why": _why(handler), "how": how, "where": _place(handler)}


def _how(consumer: Consumer) -> str:
    schedule = consumer.retry_schedule
    kind = "calls an external system" if consumer.external else "one transaction"
    return f"{kind}; {schedule.attempts} attempts in {duration_words(schedule.lasts)}"


def _about(thing: Callable[..., Any] | type) -> str:
    """The first sentence of a docstring, which says why somebody reacts."""
    text = " ".join((getdoc(_inner(thing)) or "").partition("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".") + "." if text else ""


def _why(handler: Callable[..., Any]) -> str:
    """What a reaction is for: the first sentence of its docstring, or its name, which is a sentence as well."""
    return _about(handler) or f"{_name(handler).replace('_', ' ').strip().capitalize()}."


def _place(handler: Callable[..., Any]) -> str:
    return f"{_inner(handler).__module__}.{_name(handler)}"


def _name(handler: Callable[..., Any]) -> str:
    return str(getattr(_inner(handler), "__name__", handler))


def _inner(thing: Any) -> Any:
    """The function within partials and wrappers, which has the docstring."""
    while hasattr(thing, "func"):
        thing = thing.func
    return unwrap(thing)
