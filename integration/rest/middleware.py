"""Each request begins a story or joins the one it turns out to be about, and the answer says which."""

import re
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import HttpRequest, HttpResponse

from integration.domain.metadata import act_as, current_cause, new_story

TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
"""Source: W3C Trace Context, level 1."""


def actor_of(user: AbstractBaseUser | AnonymousUser) -> str:
    """How a user is named as the one who began something."""
    return f"user:{user.pk}" if user.is_authenticated else "anonymous"


def begin_story(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: a cause for whatever the request does, and `X-Correlation-Id` on its answer."""

    def middleware(request: HttpRequest) -> HttpResponse:
        traceparent = request.headers.get("traceparent", "")
        with new_story("anonymous", traceparent if TRACEPARENT.match(traceparent) else None):
            response = get_response(request)
            response["X-Correlation-Id"] = str(current_cause().correlation_id)
        return response

    def name_actor(request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        # Views of the API know better who asks: whoever the token says, and no session.
        if not hasattr(view, "cls"):
            act_as(actor_of(request.user))

    middleware.process_view = name_actor  # type: ignore[attr-defined]  # where Django looks for it
    return middleware
