"""A request keeps to limits in the database, and survives a migration that alters a column meanwhile."""

from collections.abc import Callable
from typing import Any

from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse

from integration.storage.limits import REQUEST, limited
from integration.storage.postgresql.connection import is_stale_plan

GetResponse = Callable[[HttpRequest], HttpResponse]


def limit_statements(get_response: GetResponse) -> GetResponse:
    """Middleware that limits all statements and transactions of a request."""
    return limited(REQUEST)(get_response)


def repeat_after_alteration(get_response: GetResponse) -> GetResponse:
    """Middleware that calls a view again if a statement's plan was stale and nothing was committed; the last one.

    A prepared statement fails once if a column was altered since. Without a transaction the connection repeats the
    statement itself. A transaction is lost with the error, and only the view can make a new one.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    def call(request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse:
        before = _changes()
        try:
            return view(request, *args, **kwargs)
        except OperationalError as error:
            if not is_stale_plan(error) or _changes() != before:
                raise
        return view(request, *args, **kwargs)

    middleware.process_view = call  # type: ignore[attr-defined]  # Django looks for this attribute
    return middleware


def _changes() -> tuple[object, int]:
    """The connection of this thread and how often it has changed something."""
    return connection.connection, getattr(connection.connection, "changes", 0)
