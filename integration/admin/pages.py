"""Pages to find and to read. Whatever changes something is an action that calls a command, for those who may change.

Nothing can be added, edited or deleted, and no list asks more of the database because it has more rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets, quote, unquote
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html_join

from integration.admin.columns import NOTHING, Shown, link, list_url, moment, story_url
from integration.admin.life import page_of_life
from integration.admin.relatives import namesakes, of_story
from integration.aggregates.aggregate import Aggregate, OfOneStory
from integration.domain.errors import DomainError
from integration.domain.naming import UnknownName
from integration.domain.states import STAY, Response

LONGEST_SEARCH = 100
"""So many characters of a search are looked at: more would be a query too deep for the database, no better search."""
MOST_AT_ONCE = 100
"""So many rows does one action take, a unit of work each."""


class Question(forms.Form):
    """What an action asks before it acts: each of its fields once, but the one named `each` for every chosen row."""

    def __init__(self, rows: Sequence[Model], data: Any = None) -> None:
        super().__init__(data)
        self.rows, self.each = rows, self.fields.pop("each", None)
        self._once = list(self.fields)
        if self.each:
            self.fields.update({f"each:{row.pk}": deepcopy(self.each) for row in rows})

    def once(self) -> list[forms.BoundField]:
        """The fields that hold for all rows."""
        return [self[name] for name in self._once]

    def by_row(self) -> list[tuple[Shown, forms.BoundField | None]]:
        """Every row, as a link, and its own field."""
        return [(link(type(row), row.pk, str(row)), self._own_field(row)) for row in self.rows]

    def answer(self, row: Model) -> Any:
        """What was answered for this row alone."""
        return self.cleaned_data[f"each:{row.pk}"]

    def _own_field(self, row: Model) -> forms.BoundField | None:
        return self[f"each:{row.pk}"] if self.each else None


class ReadOnlyAdmin(admin.ModelAdmin):
    """A list and a page for each row.

    Subclasses give `fieldsets` and, where it applies: for the search `identifiers` and `uuids`, lookups that an index
    answers, tried before `search_fields`; `story_path`, the lookup of the story's id; and `asks_for`, by action, the
    message in the aggregate's table of states.
    """

    identifiers: ClassVar[Sequence[str]] = ()
    uuids: ClassVar[Sequence[str]] = ()
    story_path: ClassVar[str] = ""
    messages_by_action: ClassVar[Mapping[str, str]] = {}

    actions_on_bottom = False
    change_form_template = "admin/waybill/read_only.html"
    change_list_template = "admin/waybill/list.html"
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Whether the user may have commands called, by the actions that are `permissions=["act"]`."""
        return request.user.has_perm(f"{self.opts.app_label}.{get_permission_codename('change', self.opts)}")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()[:LONGEST_SEARCH]
        meant = self.exact_matches(term) if term else []
        if meant:
            # A union, because an OR across tables would have the database look at every row.
            first, *others = (self.model._base_manager.filter(match).order_by().values("pk") for match in meant)
            exact = queryset.filter(pk__in=first.union(*others))
            if exact.exists():
                return exact, False
        return super().get_search_results(request, queryset, term)

    def exact_matches(self, term: str) -> list[Q]:
        """What a search may mean to the letter, each answered by an index."""
        matches = [Q(**{f"{lookup}__in": {term, term.upper()}}) for lookup in self.identifiers]
        try:
            return matches + [Q(**{lookup: UUID(term)}) for lookup in self.uuids]
        except ValueError:
            return matches

    def tools(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        """Where the buttons above a row's page lead: labels and addresses."""
        if not self.story_path or not request.user.has_perm("integration.view_message"):
            return []
        correlation_id = self.model._base_manager.values_list(self.story_path, flat=True).get(pk=row.pk)
        return [("Whole story", story_url(correlation_id))]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context["original"]
        context["tools"] = self.tools(request, row)
        actions = self.get_actions(request)
        context["row_actions"] = [
            (name, getattr(self, name).short_description) for name in actions if self.makes_sense(name, row)
        ]
        context["row_actions_url"] = list_url(self.model, {self.opts.pk.name: row.pk})
        return super().render_change_form(request, context, *args, **kwargs)

    def makes_sense(self, action: str, row: Any) -> bool:
        """Whether the action would do anything to the row now; the command decides, this saves asking it in vain."""
        message = self.messages_by_action.get(action)
        response = row.life.messages[message][row.status] if message else STAY
        return response is STAY or not isinstance(response, Response)

    def perform(self, request: HttpRequest, rows: Iterable[Any], act: Callable[[Any], str]) -> None:
        """Do it to one row after the other, each in a unit of work of its own, and tell what came of each.

        Args:
            act: calls the command for a row, and returns what to tell.
        """
        for row in rows:
            try:
                what_happened, level = act(row), messages.SUCCESS
            except DomainError as refusal:
                what_happened, level = refusal.detail, messages.WARNING
            whole = what_happened if str(row) in what_happened else f"{row}: {what_happened}"
            self.message_user(request, whole[:1].upper() + whole[1:], level)

    def ask(
        self,
        request: HttpRequest,
        chosen: QuerySet[Any],
        action: str,
        question: type[Question],
        act: Callable[[Any, Any], str],
    ) -> HttpResponse | None:
        """Ask what the action must know and, once that is answered, perform it.

        Args:
            action: its name.
            act: calls the command for a row, with the answered question, and returns what to tell.
        """
        rows = self.not_too_many(request, chosen)
        if not rows:
            return None
        answered = "answered" in request.POST
        form = question(rows, request.POST if answered else None)
        if answered and form.is_valid():
            self.perform(request, rows, lambda row: act(row, form))
            return None
        title = getattr(self, action).short_description.removesuffix(" …")
        context = {"title": title, "form": form, "opts": self.opts, "action": action}
        return TemplateResponse(
            request, "admin/waybill/question.html", {**self.admin_site.each_context(request), **context}
        )

    def not_too_many(self, request: HttpRequest, chosen: QuerySet[Any]) -> list[Any]:
        """The chosen rows; none, and a word about it, when they are too many for one request."""
        rows = list(chosen[: MOST_AT_ONCE + 1])
        if len(rows) <= MOST_AT_ONCE:
            return rows
        self.message_user(request, f"Choose at most {MOST_AT_ONCE} at a time.", messages.ERROR)
        return []


class AggregateAdmin(ReadOnlyAdmin):
    """An aggregate's pages; its history is what it recorded, not what the admin site logged."""

    trail = ((moment("created_at"), moment("updated_at"), "version"), "together")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_fieldsets(request, obj), ("Trail", {"fields": self.trail})]

    def tools(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        tools = [*super().tools(request, row), ("History", self._history_url(row.pk))]
        if self._may_see_history(request):
            tools.append(("Through time", reverse(f"admin:{self._name_of_life}", args=[quote(row.pk)])))
        return tools

    def get_urls(self) -> list[Any]:
        life = path("<path:object_id>/life/", self.admin_site.admin_view(self.life_view), name=self._name_of_life)
        return [life, *super().get_urls()]

    def life_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The aggregate after each of its events, to step through."""
        if not self.has_view_permission(request) or not self._may_see_history(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        try:
            page = page_of_life(row, request.GET.get("version", ""))
        except (UnknownName, msgspec.ValidationError) as error:
            self.message_user(request, f"It cannot be told what it was: {error}.", messages.ERROR)
            return HttpResponseRedirect(self._history_url(row.pk))
        context = {**self.admin_site.each_context(request), "opts": self.opts, **page}
        return TemplateResponse(request, "admin/waybill/life.html", context)

    @property
    def _name_of_life(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_life"

    def _may_see_history(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.view_history")

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return HttpResponseRedirect(self._history_url(unquote(object_id)))

    def _history_url(self, key: str) -> str:
        history = apps.get_model(self.opts.app_label, "History")
        return list_url(history, {"stream": self.model.stream, "stream_id": key})

    @admin.display(description="goes with")
    def together(self, row: Any) -> Shown:
        """What other contexts keep under the same identifier."""
        return _links(namesakes(row))


class StoryAdmin(AggregateAdmin):
    """The pages of an aggregate whose whole life is in one story."""

    story_path = "correlation_id"
    uuids = ("correlation_id",)

    @admin.display(description="goes with")
    def together(self, row: OfOneStory) -> Shown:
        """The other rows of the story, in whatever context."""
        return _links(other for other in of_story(row.correlation_id) if other != row)


def _links(rows: Iterable[Aggregate]) -> Shown:
    return format_html_join(", ", "{}", [(link(type(row), row.pk, str(row)),) for row in rows]) or NOTHING


class RowInline(admin.TabularInline):
    """Rows on the page of the row they belong to, for those who may see them on their own page."""

    template = "admin/waybill/rows.html"
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields


class PartInline(RowInline):
    """The parts of an aggregate, in the order they were made, for those who may see the aggregate."""

    ordering = ("pk",)
    verbose_name_plural = "lines"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.get_model_admin(self.parent_model).has_view_permission(request, obj)


class ChoiceFilter(admin.SimpleListFilter):
    """A filter by values that the code knows, so that the database need not look for them."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset
