"""The pages of messages and deliveries: what was published, which consumers handle it, and why a delivery failed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.text import Truncator

from integration.admin.catalogue import page_of_events, url_of_event
from integration.admin.causes import by_column, cause_column, look_up_causes
from integration.admin.columns import (
    NOTHING,
    Shown,
    actor_link,
    column,
    exact_moment,
    facts,
    linked,
    moment,
    preformatted,
    story_column,
)
from integration.admin.history import may_see_personal
from integration.admin.inlines import RowInline
from integration.admin.pages import ChoiceFilter, Question, ReadOnlyAdmin
from integration.admin.relatives import stories_of
from integration.admin.story import page_of_story
from integration.contracts.contract import contracts
from integration.domain.metadata import current_cause
from integration.history.shown import shown_facts_of_message
from integration.messaging.consumers import consumers
from integration.messaging.dead_letters import SKIPPABLE, replay, skip_one
from integration.messaging.models import ArchivedMessage, Delivery, Message, Status


class ContractFilter(ChoiceFilter):
    """Filters by contract."""

    title = "contract"
    parameter_name = "name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name, _ in contracts.items()]


class ConsumerFilter(ChoiceFilter):
    """Filters by consumer."""

    title = parameter_name = "consumer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name, _ in consumers.items()]


class ContextFilter(ChoiceFilter):
    """Filters by the context whose workers handle the delivery."""

    title = parameter_name = "context"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in [*settings.CONTEXTS, "integration"]]


@column("due")
def due(delivery: Delivery) -> Shown:
    """The time of the next attempt; a dash unless the delivery is pending."""
    return exact_moment(delivery.due_at) if delivery.status == Status.PENDING else NOTHING


@column("error")
def short_error(delivery: Delivery) -> str:
    """The first 60 characters of the last error, enough to distinguish it from others."""
    return Truncator(delivery.error).chars(60) or NOTHING


@column("traceback")
def traceback(delivery: Delivery) -> Shown:
    """The traceback of the last failed attempt."""
    return preformatted(delivery.traceback)


@column("deliveries")
def standing(message: Message) -> str:
    """The number of the message's deliveries by status, such as `2 done, 1 pending`."""
    counts = Counter(delivery.status for delivery in message.deliveries.all())
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no consumers"


@column("skipped by")
def skipped_by(delivery: Delivery) -> Shown:
    """Who skipped the delivery."""
    return actor_link(delivery.skipped_by) or NOTHING


message_column = linked(Message, "message_id", "message", text="message.name")


class PublishedAdmin(ReadOnlyAdmin):
    """The pages of messages, where each message says by whom or why it was published."""

    def prepare(self, rows: Sequence[Any]) -> None:
        look_up_causes(rows)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        message = super().get_object(request, object_id, from_field)
        if message is not None:
            message.shown_facts = shown_facts_of_message(message, may_see_personal)
        return message

    def exact_matches(self, term: str) -> list[Q]:
        return [*super().exact_matches(term), Q(correlation_id__in=stories_of(term))]


class DeliveryInline(RowInline):
    """The deliveries of a message, on the message's page."""

    model = Delivery
    fields = (
        linked(Delivery, "pk", "consumer", text="consumer"),
        "status",
        "attempts",
        due,
        moment("done_at"),
        short_error,
    )
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("traceback")


@admin.register(Message)
class MessageAdmin(PublishedAdmin):
    """The pages of messages, and two more pages without a model: a story, and the event catalogue."""

    list_display = (moment("occurred_at", "when"), "name", standing, by_column(), story_column())
    list_display_links = ("name",)
    list_filter = (ContractFilter,)
    search_fields = ("name__contains",)
    search_help_text = "An order, invoice, payment or shipment number, the id of a message or story, or a contract."
    sortable_by = ()
    uuids = ("id", "correlation_id")
    story_path = "correlation_id"
    fieldsets = (
        (None, {"fields": (("name", "version"), (moment("occurred_at", "when"), by_column()))}),
        ("Cause", {"fields": (cause_column(), "correlation_id", "traceparent")}),
        ("Data", {"fields": ("id", facts("shown_facts", "data"))}),
    )
    inlines = (DeliveryInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        deliveries = Prefetch("deliveries", Delivery.objects.only("message_id", "status"))
        return super().get_queryset(request).defer("data").prefetch_related(deliveries)

    def get_urls(self) -> Any:
        story = path(
            "story/<uuid:correlation_id>/", self.admin_site.admin_view(self.story_view), name="integration_story"
        )
        events = path("events/", self.admin_site.admin_view(self.events_view), name="integration_events")
        return [story, events, *super().get_urls()]

    def tools(self, request: HttpRequest, row: Message) -> list[tuple[str, str]]:
        return [*super().tools(request, row), ("Event description", url_of_event(row.name))]

    def events_view(self, request: HttpRequest) -> HttpResponse:
        """The page of the event catalogue. All staff may read it because it shows no data of the shop."""
        context = {**self.admin_site.each_context(request), **page_of_events()}
        return TemplateResponse(request, "admin/waybill/events.html", context)

    def story_view(self, request: HttpRequest, correlation_id: UUID) -> HttpResponse:
        """The page of a story.

        Raises:
            PermissionDenied: when the user may not view messages.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "opts": self.opts, **page_of_story(correlation_id)}
        return TemplateResponse(request, "admin/waybill/story.html", context)


@admin.register(ArchivedMessage)
class ArchivedMessageAdmin(PublishedAdmin):
    """The pages of messages that were settled long ago; each row holds its message and all deliveries."""

    list_display = (moment("occurred_at", "when"), "name", by_column(), story_column(), moment("archived_at"))
    list_display_links = ("name",)
    list_filter = (ContractFilter,)
    search_fields = ("name__contains",)
    search_help_text = "An order, invoice, payment or shipment number, the id of a message or story, or a contract."
    sortable_by = ()
    uuids = ("id", "correlation_id")
    story_path = "correlation_id"
    fieldsets = (
        (None, {"fields": (("name", "version"), (moment("occurred_at", "when"), by_column()))}),
        ("Cause", {"fields": (cause_column(), "correlation_id", "traceparent")}),
        ("Data", {"fields": ("id", facts("shown_facts", "data"))}),
        ("Deliveries", {"fields": (("addressed_to", moment("archived_at")), facts("deliveries"))}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("data", "deliveries")


class Skipping(Question):
    """Asks for the reason why the chosen deliveries are not to be handled."""

    reason = forms.CharField(
        max_length=2_000, widget=forms.Textarea, help_text="The reason is stored permanently with the delivery."
    )

    def left(self, row: Delivery) -> str:
        return f"{row.status} after {row.attempts} attempts: {short_error(row)}"


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """The pages of deliveries: one message to one consumer."""

    list_display = (
        "id",
        "contract",
        "consumer",
        "status",
        "attempts",
        due,
        moment("done_at"),
        story_column("message.correlation_id"),
        short_error,
    )
    list_filter = ("status", ContextFilter, ConsumerFilter)
    list_select_related = ("message",)
    search_fields = ("consumer__contains",)
    search_help_text = "An order, invoice, payment or shipment number, the id of a message or story, or a consumer."
    sortable_by = ()
    uuids = ("message_id", "message__correlation_id")
    story_path = "message__correlation_id"
    actions = ("try_again_now", "skip_for_good")
    fieldsets = (
        (None, {"fields": (message_column, ("consumer", "context", "external"))}),
        ("Status", {"fields": (("status", "attempts", due, moment("done_at")),)}),
        ("Last error", {"fields": ("error", traceback)}),
        ("Skipped", {"fields": ("skip_reason", (skipped_by, moment("skipped_at")))}),
        ("Cause", {"fields": (cause_column("message"), by_column("message"))}),
        ("Data", {"fields": (facts("message.shown_facts", "data"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("message__data", "traceback")

    def exact_matches(self, term: str) -> list[Q]:
        return [*super().exact_matches(term), Q(message__correlation_id__in=stories_of(term))]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        delivery = super().get_object(request, object_id, from_field)
        if delivery is not None:
            delivery.message.shown_facts = shown_facts_of_message(delivery.message, may_see_personal)
        return delivery

    def why_not(self, action: str, row: Delivery) -> str:
        if action == "skip_for_good":
            return "" if Delivery.objects.filter(SKIPPABLE, pk=row.pk).exists() else "it has not failed"
        return "" if row.status in (Status.DEAD, Status.PENDING) else f"it is {row.status}"

    @admin.display(description="contract")
    def contract(self, delivery: Delivery) -> str:
        """The contract of the delivery's message."""
        return delivery.message.name

    @admin.action(description="Try again now", permissions=["act"])
    def try_again_now(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        """Replay the dead and pending ones among the chosen deliveries; their counts of attempts restart at zero."""
        replayed = replay(chosen)
        self.message_user(
            request,
            f"{replayed} will be tried again now. Done and skipped deliveries are unchanged.",
            messages.SUCCESS if replayed else messages.WARNING,
        )

    @admin.action(description="Skip permanently …", permissions=["act"])
    def skip_for_good(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> HttpResponse | None:
        """Ask for a reason and skip the chosen deliveries; those that have not failed are refused."""
        return self.ask(request, chosen, "skip_for_good", Skipping, _skip)


def _skip(delivery: Delivery, question: Skipping) -> str:
    skip_one(delivery.pk, question.cleaned_data["reason"], current_cause().actor)
    return f"{delivery} is skipped permanently"
