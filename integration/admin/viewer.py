"""The person who looks at a page: which links they may open, and the names of users.

Columns are functions of a row and know no request. So a middleware stores the request for as long as its response is
made.
"""

from collections.abc import Callable, Iterable
from contextvars import ContextVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.utils.http import url_has_allowed_host_and_scheme

from integration.rest.people import NAMES, names_of, user_key


class Viewer:
    """A request, and the names of users that were looked up for it."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.names: dict[str, str] = {}


_viewer: ContextVar[Viewer | None] = ContextVar("viewer", default=None)


def remember_viewer(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that stores the request while its response is made."""

    def middleware(request: HttpRequest) -> HttpResponse:
        token = _viewer.set(Viewer(request))
        try:
            return get_response(request)
        finally:
            _viewer.reset(token)

    return middleware


def may_view(model: type[Model]) -> bool:
    """Whether the viewer may view the pages of a model. Without a request everything with a page can be viewed."""
    page, viewer = admin.site._registry.get(model), _viewer.get()
    return page is not None and (viewer is None or page.has_view_permission(viewer.request))


def may_open(url: str) -> bool:
    """Whether the viewer may view the page or list of rows at a URL of the admin; True for other pages."""
    page, viewer = getattr(resolve(url.partition("?")[0]).func, "model_admin", None), _viewer.get()
    return page is None or viewer is None or page.has_view_permission(viewer.request)


def came_from(request: HttpRequest) -> str:
    """The page of this site from which the user started an action; empty for the list."""
    page = request.POST.get("came_from", "")
    return page if page.startswith("/") and url_has_allowed_host_and_scheme(page, allowed_hosts=None) else ""


def name_users(actors: Iterable[str]) -> None:
    """Look up the names of all users among the actors in one query, before `name_of` needs them one by one."""
    viewer = _viewer.get()
    if viewer is not None:
        viewer.names.update(names_of({*actors} - viewer.names.keys()))


def name_of(actor: str) -> str:
    """What people call an actor: a user by full name or username, others as `NAMES` says or as they are stored."""
    key, viewer = user_key(actor), _viewer.get()
    if key is None:
        return NAMES.get(actor, actor)
    if viewer is None:
        return names_of([actor])[actor]
    name_users([actor])
    return viewer.names[actor]
