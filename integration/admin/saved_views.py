"""The views of a list that its user saved: filters and order under a name, shown as tabs above the list."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django import forms
from django.http import HttpRequest

from integration.rest.models import SavedView

MOST_VIEWS = 20
"""The views that a user may save of one list."""

NOT_SAVED = frozenset({"q", "p", "e", "all", "_facets", "_popup", "_to_field"})
"""The parameters of a list that belong to no view. A search may be somebody's name, which no other table may hold."""


class View(forms.Form):
    """The form that saves a view."""

    name = forms.CharField(max_length=60)
    query = forms.CharField(max_length=2_000, required=False)


def without_search(query: str) -> str:
    """The parameters of a list that a view stores, sorted, so that equal views are equal texts."""
    return urlencode(sorted((key, value) for key, value in parse_qsl(query) if key not in NOT_SAVED))


def views_of(request: HttpRequest, page: str) -> list[dict[str, Any]]:
    """The views that the user saved of a list, and whether each is the one that is shown; one query."""
    shown = without_search(request.GET.urlencode())
    saved = SavedView.objects.filter(user=request.user.pk, page=page)
    return [{"pk": view.pk, "name": view.name, "query": view.query, "shown": view.query == shown} for view in saved]


def save_view(request: HttpRequest, page: str) -> tuple[str, str]:
    """Save the submitted view, or replace the one of that name.

    Returns:
        The parameters of the list to go to, and an error for the user, empty if there is none.
    """
    form = View(request.POST)
    query = without_search(request.POST.get("query", "")[:2_000])
    if not form.is_valid():
        (field, errors), *_ = form.errors.items()
        return query, f"The view is not saved. {field.capitalize()}: {' '.join(map(str, errors))}"
    own = SavedView.objects.filter(user=request.user.pk, page=page)
    if own.exclude(name=form.cleaned_data["name"]).count() >= MOST_VIEWS:
        return query, f"The view is not saved: a list has at most {MOST_VIEWS} views. Delete one first."
    key = {"user_id": request.user.pk, "page": page, "name": form.cleaned_data["name"]}
    SavedView.objects.update_or_create(**key, defaults={"query": query})
    return query, ""


def delete_view(request: HttpRequest, page: str) -> None:
    """Delete a view of the user; do nothing if there is none with this key."""
    key = request.POST.get("delete", "")
    if key.isdecimal() and len(key) < 19:
        SavedView.objects.filter(user=request.user.pk, page=page, pk=key).delete()
