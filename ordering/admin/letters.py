"""The admin pages of letters: which were sent, which did not arrive, and what each kind looks like in each language."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join

from integration.admin.columns import linked, moment, story_column
from integration.admin.pages import Question, ReadOnlyAdmin, StoryAdmin
from integration.admin.sections import InStory
from ordering.commands import close_bounce
from ordering.letters import EXAMPLES, LANGUAGES, in_language_of, render
from ordering.models import BounceOutcome, LetterBounce, Order, SentLetter


@admin.register(SentLetter)
class SentLetterAdmin(ReadOnlyAdmin):
    """Letters that were sent. They hold no text: the preview shows an example of the same kind."""

    list_display = ("kind", linked(Order, "order", "order"), "language", moment("sent_at", "sent"))
    list_filter = ("kind", "language")
    date_hierarchy = "sent_at"
    ordering = ("-sent_at",)
    search_fields = ("order__contains",)
    search_help_text = "An order number."
    identifiers = ("order", "id")
    fieldsets = (
        (None, {"fields": (("kind", "language"), (linked(Order, "order", "order"), moment("sent_at", "sent")), "id")}),
    )

    def tools(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        return [("Preview", _url(row.kind, row.language)), *super().tools(request, row)]

    def get_urls(self) -> list[Any]:
        previews = [
            path("preview/", self.admin_site.admin_view(self.previews), name="letters"),
            path("preview/<slug:kind>/<slug:language>/", self.admin_site.admin_view(self.preview), name="letter"),
        ]
        return previews + super().get_urls()

    def previews(self, request: HttpRequest) -> HttpResponse:
        """A page with links to all kinds of letters in all languages."""
        self._require_view(request)
        links = [(_url(kind, language), kind, language) for kind in EXAMPLES for language in LANGUAGES]
        items = format_html_join("", '<li><a href="{}">{} ({})</a></li>', links)
        return HttpResponse(format_html("<!doctype html><title>Letters</title><h1>Letters</h1><ul>{}</ul>", items))

    def preview(self, request: HttpRequest, kind: str, language: str) -> HttpResponse:
        """An example of a letter, as HTML or, with `?text`, as the text that is sent along."""
        self._require_view(request)
        if kind not in EXAMPLES or language not in LANGUAGES:
            raise Http404
        with in_language_of(language):
            rendered = render(EXAMPLES[kind](), "Ada Byron")
        if "text" in request.GET:
            return HttpResponse(f"{rendered.subject}\n\n{rendered.text}", content_type="text/plain; charset=utf-8")
        return HttpResponse(rendered.html)

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise Http404


def _url(kind: str, language: str) -> str:
    return reverse("admin:letter", args=[kind, language])


class DealtWith(Question):
    """The form that asks what an operator did about a letter that did not arrive."""

    outcome = forms.ChoiceField(choices=BounceOutcome.choices)


@admin.register(LetterBounce)
class LetterBounceAdmin(StoryAdmin):
    """Letters that did not arrive: each is open until a person has dealt with it."""

    list_display = (
        "kind",
        linked(Order, "order", "order"),
        "reason",
        "status",
        moment("created_at", "reported"),
        story_column(),
    )
    list_filter = ("status", "reason", "kind")
    date_hierarchy = "created_at"
    search_fields = ("order__contains",)
    search_help_text = "An order's number, or the ID of a letter or of a story."
    identifiers = ("order", "id")
    in_story = InStory(
        "Letters that did not arrive", ("kind", "status", "reason", moment("created_at", "reported")), 90
    )
    actions = ("close_bounces",)
    messages_by_action = {"close_bounces": "close"}
    fieldsets = ((None, {"fields": (("kind", "status"), (linked(Order, "order", "order"), "reason"), "id")}),)

    @admin.action(description="Close …", permissions=["act"])
    def close_bounces(self, request: HttpRequest, chosen: QuerySet[LetterBounce]) -> HttpResponse | None:
        """Record that a person dealt with the chosen letters."""
        return self.ask(request, chosen, "close_bounces", DealtWith, _close)


def _close(bounce: LetterBounce, question: DealtWith) -> str:
    close_bounce(bounce.id, BounceOutcome(question.cleaned_data["outcome"]))
    return f"{bounce} is closed"
