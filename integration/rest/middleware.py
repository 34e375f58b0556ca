"""Every request starts a story or joins an existing one; `X-Correlation-Id` in the response names the story."""

import re
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import HttpRequest, HttpResponse

from integration.domain.metadata import act_as, current_cause, new_story
from integration.rest.access import method_of, route_of
from integration.rest.guests import Guest
from integration.tracing import name_request, request_span

POLICY = "Content-Security-Policy"
STYLES_WITHIN = "'unsafe-inline'"
"""The source of styles for a page that has its styles within it, so that it looks the same when it is saved."""
TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
"""Source: W3C Trace Context, level 1."""


def actor_of(user: AbstractBaseUser | AnonymousUser) -> str:
    """The name of a user in metadata, such as `user:12` or `guest:R-1001`; `anonymous` without a login."""
    if isinstance(user, Guest):
        return user.actor
    return f"user:{user.pk}" if user.is_authenticated else "anonymous"


def content_security_policy(*scripts: str, styles: str = "") -> str:
    """What a page may load: only files that this server serves. Neither scripts nor styles may be within the page.

    Args:
        scripts: other sources of scripts, such as `'nonce-…'`.
        styles: other sources of styles, such as `STYLES_WITHIN`.

    Source: W3C Content Security Policy, level 3.
    """
    sources, styles = " ".join(["'self'", *scripts]), f"'self' {styles}".strip()
    return (
        f"default-src 'none'; script-src {sources}; style-src {styles}; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


PRINTED: dict[str, str] = {POLICY: content_security_policy(styles=STYLES_WITHIN)}
"""The headers of a page to print, such as an invoice: its styles are within it."""


def restrict_pages(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that adds a Content-Security-Policy to every response that has none of its own."""
    policy = content_security_policy()

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault(POLICY, policy)
        return response

    return middleware


def begin_story(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that sets the cause of everything a request does, and adds `X-Correlation-Id` to its response."""

    def middleware(request: HttpRequest) -> HttpResponse:
        traceparent = request.headers.get("traceparent", "")
        story = new_story("anonymous", traceparent if TRACEPARENT.match(traceparent) else None)
        method = method_of(request.method)
        with story, request_span(method) as span:
            response = get_response(request)
            correlation_id = current_cause().correlation_id
            response["X-Correlation-Id"] = str(correlation_id)
            name_request(span, method, route_of(request), response.status_code, correlation_id)
        return response

    def name_actor(request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        # API views (those with `cls`) set the actor themselves, from the token. They ignore the session.
        if not hasattr(view, "cls"):
            act_as(actor_of(request.user))

    middleware.process_view = name_actor  # type: ignore[attr-defined]  # Django looks for this attribute
    return middleware
