"""Requests are cut off at any statement of the server, and clients repeat them under the same key."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.test import APIClient

from config.simulation.world import Died, World

CUT_OFF = 0.25
LONGEST_REQUEST = 40
"""A request that is cut off ends within this many statements."""

Caller = AbstractBaseUser | str | None
"""Who sends a request: a user, the holder of a bearer token, or nobody."""


class Client:
    """Sends requests, and repeats under the same key those that were cut off."""

    def __init__(self, world: World) -> None:
        self.world = world
        # Few clients for all requests, because a client builds the middleware chain at its first request. One is for
        # users, who are authenticated by force.
        self.api, self.of_users = (APIClient(raise_request_exception=False) for _ in range(2))

    def post(self, path: str, body: Any, *, user: Caller, key: str, **headers: str) -> Any:
        """Send a request under an idempotency key until there is a response; returns the response."""
        return self.ask("post", path, body, user=user, **{"Idempotency-Key": key}, **headers)

    def ask(self, method: str, path: str, body: Any, *, user: Caller, **headers: str) -> Any:
        """Send a request as this caller until there is a response; returns the response."""
        if isinstance(user, AbstractBaseUser):
            self.of_users.force_authenticate(user)
            return self.send(path, body, getattr(self.of_users, method), format="json", headers=headers)
        if user:
            headers["Authorization"] = f"Bearer {user}"
        return self.send(path, body, getattr(self.api, method), format="json", headers=headers)

    def send(self, path: str, body: Any, request: Callable[..., Any] | None = None, **options: Any) -> Any:
        """Send a request until there is a response; returns it. A status of 500 or more is an offender.

        Args:
            request: a method of a client; None posts anonymously.
        """
        request = request or self.api.post
        while True:
            self.world.tally["requests"] += 1
            try:
                with self.world.mortal(CUT_OFF, LONGEST_REQUEST):
                    response = request(path, body, secure=True, **options)
            except Died:
                continue
            if response.status_code >= 500:
                self.world.offenders.append(f"{path} returned {response.status_code}")
            return response

    def expect(self, response: Any, *statuses: int, what: str) -> bool:
        """Whether a response is a success; one with none of these statuses is an offender."""
        if response.status_code not in statuses:
            self.world.offenders.append(f"{what} returned {response.status_code}: {response.data}")
        return bool(response.status_code < 300)
