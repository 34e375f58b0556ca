"""Base classes of read-only admin pages. Changes are actions that call commands, for users with the change permission.

Rows cannot be added, edited or deleted. A list takes the same number of database queries whatever its length.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets, quote, unquote
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html_join

from integration.admin.badges import BadgedAdmin
from integration.admin.columns import NOTHING, Shown, link, list_url, moment, story_url
from integration.admin.exact_search import ExactSearch
from integration.admin.life import page_of_life
from integration.admin.lists import WorkingList
from integration.admin.question import Question, without_token
from integration.admin.relatives import namesakes, of_story
from integration.admin.sections import InStory
from integration.admin.viewer import came_from, may_open
from integration.aggregates.aggregate import Aggregate, OfOneStory
from integration.domain.errors import DomainError
from integration.domain.naming import UnknownName

ACTS_ONCE = "This form was sent before. It changed nothing now."
OUTDATED = "This form is out of date, so nothing was changed. Check it and send it again."
MOST_AT_ONCE = 100
"""The number of rows that one action accepts; each row takes a unit of work of its own."""


FOLDED = {"classes": ("collapse",)}
"""The options of a fieldset that is folded up until somebody opens it."""


class Act(NamedTuple):
    """An action of the list as a button for one row; `why_not` says why the row's state does not allow it."""

    name: str
    label: str
    url: str
    key: Any
    why_not: str


class ReadOnlyAdmin(WorkingList, ExactSearch, BadgedAdmin):
    """A list of rows and a page for each row.

    Subclasses set `fieldsets` and, if they apply:

    * `identifiers` and `uuids`: lookups for the search that use an index; they are tried before `search_fields`.
    * `story_path`: the lookup of the correlation id.
    * `messages_by_action`: for each action the message in the aggregate's state table.
    """

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
        """Whether the user may run actions declared with `permissions=["act"]`: it takes the change permission."""
        return request.user.has_perm(f"{self.opts.app_label}.{get_permission_codename('change', self.opts)}")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        self.prepare(changelist.result_list)
        return changelist

    def prepare(self, rows: Sequence[Any]) -> None:
        """Look up at once what the columns of a list show of other tables."""

    def tools(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        """The buttons at the top of a row's page: labels and URLs."""
        if not self.story_path or not request.user.has_perm("integration.view_message"):
            return []
        correlation_id = getattr(row, self.story_path, None)  # without a query, unless the path leads to another row
        if correlation_id is None:
            correlation_id = self.model._base_manager.values_list(self.story_path, flat=True).get(pk=row.pk)
        return [("Whole story", story_url(correlation_id))]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context["original"]
        context["tools"] = [(label, url) for label, url in self.tools(request, row) if may_open(url)]
        context["acts"] = self.acts_on(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def acts_on(self, request: HttpRequest, row: Any) -> list[Act]:
        """The actions that the user may run on a row, and why the row's state does not allow some of them."""
        url = list_url(self.model, {self.opts.pk.name: row.pk})
        return [
            Act(name, getattr(self, name).short_description, url, row.pk, self.why_not(name, row))
            for name in self.get_actions(request)
        ]

    def why_not(self, action: str, row: Any) -> str:
        """Why the row's page does not offer an action, as the end of a sentence; empty if it does.

        The state table decides for the action's message. This only disables buttons without effect: the command itself
        decides.
        """
        message = self.messages_by_action.get(action)
        return row.life.why_not(message, row.status) if message else ""

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = super().response_action(request, *args, **kwargs)
        path = came_from(request)
        return HttpResponseRedirect(path) if path and isinstance(response, HttpResponseRedirect) else response

    def perform(self, request: HttpRequest, rows: Iterable[Any], act: Callable[[Any], str]) -> list[Any]:
        """Run an action on each row in turn, each in a unit of work of its own, and show the user each result.

        What was done is on the page of acts, with the user's name.

        A `DomainError` becomes a warning for its row, and the other rows are still processed.

        Args:
            act: calls the command for a row, and returns the text to show.

        Returns:
            The rows for which the action was refused.
        """
        refused = []
        for row in rows:
            try:
                what_happened, level = act(row), messages.SUCCESS
                self.log_change(request, row, what_happened)
            except DomainError as refusal:
                what_happened, level = refusal.detail, messages.WARNING
                refused.append(row)
            text = what_happened if str(row) in what_happened else f"{row}: {what_happened}"
            self.message_user(request, text[:1].upper() + text[1:], level)
        return refused

    def ask(
        self,
        request: HttpRequest,
        chosen: QuerySet[Any],
        action: str,
        question: type[Question],
        act: Callable[[Any, Any], str],
    ) -> HttpResponse | None:
        """Show the action's form and, once it is submitted and valid, run the action on the chosen rows.

        Args:
            action: the action's name.
            question: the form to show.
            act: calls the command for a row with the valid form, and returns the text to show.

        Returns:
            The page with the form, or None when there is nothing left to ask: Django then shows the page from which the
            user came. The form is shown again, with its input, for the rows that the command refuses.
        """
        rows = self.not_too_many(request, chosen)
        if not rows:
            return None
        submitted = "submitted" in request.POST
        purpose = f"{request.user.pk}.{self.opts.label}.{action}"
        form = question(rows, request.POST if submitted else None, purpose)
        if submitted and not form.is_current:
            self.message_user(request, OUTDATED, messages.WARNING)
        elif submitted and form.is_valid():
            if not form.use_token():
                self.message_user(request, ACTS_ONCE, messages.WARNING)
                return None
            refused = self.perform(request, rows, lambda row: act(row, form))
            if not refused:
                return None
            form = question(refused, without_token(request.POST), purpose)
        title = getattr(self, action).short_description.removesuffix(" …")
        context = {"title": title, "form": form, "opts": self.opts, "action": action}
        context["came_from"] = came_from(request)
        return TemplateResponse(
            request, "admin/waybill/question.html", {**self.admin_site.each_context(request), **context}
        )

    def not_too_many(self, request: HttpRequest, chosen: QuerySet[Any]) -> list[Any]:
        """The chosen rows, or an empty list and an error message if there are more than `MOST_AT_ONCE`."""
        rows = list(chosen[: MOST_AT_ONCE + 1])
        if len(rows) <= MOST_AT_ONCE:
            return rows
        self.message_user(request, f"Choose at most {MOST_AT_ONCE} at a time.", messages.ERROR)
        return []


class AggregateAdmin(ReadOnlyAdmin):
    """An aggregate's pages. The history button leads to its domain events instead of Django's log of admin actions."""

    record_fields = ((moment("created_at"), moment("updated_at"), "version"), "related")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_fieldsets(request, obj), ("Record", {"fields": self.record_fields, **FOLDED})]

    def tools(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        tools = [*super().tools(request, row), ("History", self._history_url(row.pk))]
        if self._may_see_history(request):
            tools.append(("Through time", reverse(f"admin:{self._name_of_life}", args=[quote(row.pk)])))
        return tools

    def get_urls(self) -> list[Any]:
        life = path("<path:object_id>/life/", self.admin_site.admin_view(self.life_view), name=self._name_of_life)
        return [life, *super().get_urls()]

    def life_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page that steps through the aggregate's events.

        Raises:
            PermissionDenied: when the user may not view both the row and its history.
            Http404: when there is no such aggregate.
        """
        if not self.has_view_permission(request) or not self._may_see_history(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        try:
            page = page_of_life(row, request.GET.get("version", ""))
        except (UnknownName, msgspec.ValidationError) as error:
            self.message_user(request, f"The past state cannot be computed: {error}.", messages.ERROR)
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

    @admin.display(description="related")
    def related(self, row: Any) -> Shown:
        """Links to the aggregates of other contexts that have the same identifier."""
        return _links(namesakes(row))


class StoryAdmin(AggregateAdmin):
    """The pages of an aggregate whose events all belong to one story.

    `in_story` shows it on the page of its order, too.
    """

    in_story: ClassVar[InStory | None] = None

    story_path = "correlation_id"
    uuids = ("correlation_id",)

    @admin.display(description="related")
    def related(self, row: OfOneStory) -> Shown:
        """Links to the other aggregates of the story, in all contexts."""
        return _links(other for other in of_story(row.correlation_id) if other != row)


def _links(rows: Iterable[Aggregate]) -> Shown:
    return format_html_join(", ", "{}", [(link(type(row), row.pk, str(row)),) for row in rows]) or NOTHING


class ChoiceFilter(admin.SimpleListFilter):
    """A filter whose choices come from the code, so that no query has to collect them."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset
