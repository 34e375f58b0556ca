"""Submits the forms of the admin's actions as a browser does: with the token of the page."""

from collections.abc import Mapping
from typing import Any

from django.test import Client


def submit(client: Client, path: str, form: Mapping[str, Any]) -> Any:
    """Open an action's form and submit it; returns the next page.

    Args:
        client: the user's client.
        path: the path of the list.
        form: the action, the chosen rows and what is filled in.
    """
    asked = client.post(path, {name: form[name] for name in ("action", "_selected_action")}, follow=True)
    shown = asked.context.get("form") if asked.context else None
    return client.post(path, {**form, "submitted": "yes", "token": shown.token if shown else ""}, follow=True)


def offered(client: Client, path: str) -> list[str]:
    """The names of the actions that the page of a row offers, because the row's state allows them."""
    return [act.name for act in client.get(path).context["acts"] if not act.why_not]
