"""Receivers in memory, and endpoints that messages are sent to."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

import pytest

from integration.contracts.contract import IntegrationEvent, contracts
from integration.contracts.examples import example_of
from integration.domain.versions import from_data
from integration.gateways.posts import Post, Posted
from integration.webhooks.endpoints import register
from integration.webhooks.models import WebhookEndpoint

OK = Posted(None, 200, 5, "thanks")


class Receivers:
    """All receivers. A response is chosen by URL; one that is not in `responses` is 200.

    Args:
        responses: for a URL, a response, or a function of the post that returns one.
    """

    def __init__(self) -> None:
        self.responses: dict[str, Posted | Callable[[Post], Posted]] = {}
        self.posts: list[Post] = []
        self._ended: list[Posted] = []

    def __call__(self) -> AbstractContextManager["Receivers"]:
        return nullcontext(self)

    def start(self, post: Post) -> None:
        self.posts.append(post)
        response = self.responses.get(post.url, OK)
        self._ended.append((response(post) if callable(response) else response)._replace(key=post.key))

    def ended(self, seconds: float) -> list[Posted]:
        ended, self._ended = self._ended, []
        return ended

    def got(self, url: str) -> list[dict[str, Any]]:
        """The bodies that a URL got, in order."""
        return [json.loads(post.body) for post in self.posts if post.url == url]


@pytest.fixture
def receivers() -> Receivers:
    return Receivers()


@pytest.fixture
def endpoint(db: None) -> Callable[..., WebhookEndpoint]:
    """A function that registers an endpoint: `endpoint("a", events=["*"])`."""

    def registered(name: str = "a", **values: Any) -> WebhookEndpoint:
        owner = values.pop("owner", None)
        return register({"url": url(name), "events": ["*"], **values}, owner)

    return registered


def url(name: str) -> str:
    """The URL of a receiver."""
    return f"https://{name}.example/hook"


def example(contract: str, **fields: Any) -> IntegrationEvent:
    """An event of a contract with the values of its example, and these."""
    kind = contracts.get(contract)
    return from_data(kind, {**example_of(kind), **fields}, kind.schema_version)


def failed(status: int | None = 500, after: int | None = None) -> Posted:
    """A response that is a failure."""
    wait = None if after is None else timedelta(seconds=after)
    return Posted(None, status, 5, "sorry", wait, "" if status else "no response within 15 s")
