"""The one search box: a term is looked up in all contexts, in what the user may view.

Each context registers its own searches, in its `admin/search.py`, and looks only into its own tables. A search is one
or two queries by an index: numbers are compared as a whole, names and e-mail addresses by their parts
(`integration.read_models.texts`). The results are grouped; a single exact hit opens at once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.contrib import admin
from django.db.models import Model, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from integration.admin.columns import list_url, story_url
from integration.admin.exact_search import LONGEST_SEARCH
from integration.domain.identifiers import OrderNumber
from integration.history.story import is_story
from integration.messaging.models import ArchivedMessage, Message
from integration.read_models.texts import MOST, SearchText, find, is_searchable

SHOWN = 10
"""The number of hits of a group that are shown."""

NAMED, OF_ORDER, WORDS = 0, 1, 2
"""How well a hit fits: the term is the row's own name, or the number of its order, or a part of its words."""


class Term:
    """What was typed.

    Args:
        text: the text, without spaces around it.
    """

    def __init__(self, text: str) -> None:
        self.text = text.replace("\x00", "").strip()[:LONGEST_SEARCH]
        self._names: dict[type[SearchText], tuple[list[str], bool]] = {}

    @property
    def names(self) -> set[str]:
        """The text as it may be stored, if it is the whole of a number or a name."""
        return {self.text, self.text.upper(), self.text.lower()}

    @property
    def order(self) -> OrderNumber:
        """The order's number, which may be typed without `R-` or in small letters."""
        return OrderNumber(f"R-{self.text}" if self.text.isdecimal() else self.text.upper())

    @property
    def uuid(self) -> UUID | None:
        """The identifier that was typed, if it is one."""
        try:
            return UUID(self.text) if len(self.text) in (32, 36) else None
        except ValueError:
            return None

    def found_in(self, rows: type[SearchText]) -> tuple[list[str], bool]:
        """The keys of the newest rows with these words, at most `SHOWN` and one more, and whether some were left out.

        The search is made once for each table.
        """
        if rows not in self._names:
            keys, is_cut = find(rows, self.text)
            self._names[rows] = keys[: SHOWN + 1], is_cut
        return self._names[rows]


class Hit(NamedTuple):
    """A row that was found.

    Args:
        url: the row's page.
        title: what it is, such as `order R-1001`.
        facts: what distinguishes it from others, such as its status and its total.
        fits: `NAMED`, `OF_ORDER` or `WORDS`.
    """

    url: str
    title: str
    facts: Sequence[Any]
    fits: int


class Search(NamedTuple):
    """A registered search.

    Args:
        model: whose rows it finds; only users who may view it get results.
        find: returns at most `SHOWN` + 1 rows for a term, the best first.
        facts: what to show of a row.
        fits: how well a row fits.
        words: the tables of words that it looks into.
    """

    model: type[Model]
    find: Callable[[Term], Iterable[Any]]
    facts: Callable[[Any], Sequence[Any]]
    fits: Callable[[Term, Any], int]
    words: Sequence[type[SearchText]]


class Group(NamedTuple):
    """The hits of one kind; `more` says that there are others."""

    title: str
    hits: list[Hit]
    more: bool
    url: str


_searches: list[Search] = []
F = TypeVar("F", bound=Callable[[Term], Iterable[Any]])


def searches(
    model: type[Model],
    *,
    facts: Callable[[Any], Sequence[Any]],
    names: Sequence[str] = ("pk",),
    words: Sequence[type[SearchText]] = (),
) -> Callable[[F], F]:
    """Register the decorated function as a search for rows of a model.

    Args:
        model: whose rows it finds; it has a page in the admin.
        facts: what to show of a row.
        names: the attributes of which one equals the term if the row is meant.
        words: the tables of words that it looks into.
    """

    def register(found: F) -> F:
        def fits(term: Term, row: Any) -> int:
            if any(getattr(row, name) and str(getattr(row, name)) in {*term.names, term.order} for name in names):
                return NAMED
            return OF_ORDER if getattr(row, "order", None) == term.order else WORDS

        _searches.append(Search(model, found, facts, fits, words))
        return found

    return register


def newest(model: type[Model], *matches: Q) -> list[Any]:
    """The newest rows that meet one of these conditions, each of which has an index; one query, none without any."""
    if not matches:
        return []
    first, *others = matches
    condition = first
    for other in others:
        condition |= other
    return list(model._default_manager.filter(condition).order_by("-created_at", "-pk")[: SHOWN + 1])


def search_view(request: HttpRequest) -> HttpResponse:
    """The page with the results, or, for a single exact hit, a redirect to its page."""
    term = Term(request.GET.get("q", ""))
    groups = _groups(request, term) if term.text else []
    best = _only([hit for group in groups for hit in group.hits])
    if best and not any(group.more for group in groups if best.fits != NAMED):
        return HttpResponseRedirect(best.url)
    is_cut = any(term.found_in(rows)[1] for rows in _words_of(request)) if term.text else False
    context = {
        "title": f"Results for “{term.text}”" if term.text else "Search",
        "term": term.text,
        "groups": groups,
        "is_cut": is_cut,
        "most": MOST,
        "is_short": bool(term.text) and not is_searchable(term.text),
    }
    return TemplateResponse(request, "admin/waybill/search.html", {**admin.site.each_context(request), **context})


def _only(hits: Sequence[Hit]) -> Hit | None:
    """The one hit that is meant: the only one that the term names, or the only one at all."""
    named = [hit for hit in hits if hit.fits == NAMED]
    meant = named or hits
    return meant[0] if len(meant) == 1 else None


def _allowed(request: HttpRequest) -> list[Search]:
    """The searches for rows that the user may view."""
    pages = admin.site._registry
    return [each for each in _searches if each.model in pages and pages[each.model].has_view_permission(request)]


def _words_of(request: HttpRequest) -> set[type[SearchText]]:
    return {rows for each in _allowed(request) for rows in each.words}


def _groups(request: HttpRequest, term: Term) -> list[Group]:
    groups = [group for group in (_group(each, term) for each in _allowed(request)) if group.hits]
    return [*_story(request, term), *groups]


def _group(search: Search, term: Term) -> Group:
    rows, meta = list(search.find(term)), search.model._meta
    change = f"admin:{meta.app_label}_{meta.model_name}_change"
    hits = [
        Hit(reverse(change, args=[admin.utils.quote(row.pk)]), str(row), search.facts(row), search.fits(term, row))
        for row in rows[:SHOWN]
    ]
    hits.sort(key=lambda hit: hit.fits)  # the order of rows that fit alike stays
    title = str(meta.verbose_name_plural)
    return Group(title[:1].upper() + title[1:], hits, len(rows) > SHOWN, list_url(search.model, {"q": term.text}))


def _story(request: HttpRequest, term: Term) -> list[Group]:
    """The story with this correlation id, or the message with this id."""
    id = term.uuid
    if id is None or not request.user.has_perm("integration.view_message"):
        return []
    hits = [Hit(story_url(id), f"story {id}", (), NAMED)] if is_story(id) else []
    for kind in (Message, ArchivedMessage):
        for message in kind.objects.filter(pk=id).only("name", "correlation_id"):
            hits.append(Hit(story_url(message.correlation_id), f"message {message.name}", (), NAMED))
    return [Group("Stories", hits, False, "")] if hits else []
