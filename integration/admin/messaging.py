"""The pages of messages: what was published, and which consumers handle it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from integration.admin.catalogue import page_of_events, url_of_event
from integration.admin.causes import by_column, cause_column, look_up_causes
from integration.admin.columns import column, facts, linked, moment, story_column
from integration.admin.deliveries import due, short_error
from integration.admin.history import may_see_personal
from integration.admin.inlines import RowInline
from integration.admin.pages import ChoiceFilter, ReadOnlyAdmin
from integration.admin.relatives import stories_of
from integration.admin.routing import page_of_routing, url_of_routing
from integration.admin.story import page_of_story
from integration.contracts.contract import contracts
from integration.history.shown import shown_facts_of_message
from integration.messaging.models import ArchivedMessage, Delivery, Message


class ContractFilter(ChoiceFilter):
    """Filters by contract."""

    title = "contract"
    parameter_name = "name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name, _ in contracts.items()]


@column("deliveries")
def standing(message: Message) -> str:
    """The number of the message's deliveries by status, such as `2 done, 1 pending`."""
    counts = Counter(delivery.status for delivery in message.deliveries.all())
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no consumers"


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
        routing = path("routing/", self.admin_site.admin_view(self.routing_view), name="integration_routing")
        return [story, events, routing, *super().get_urls()]

    def tools(self, request: HttpRequest, row: Message) -> list[tuple[str, str]]:
        of_event = [("Event description", url_of_event(row.name)), ("Who gets it", url_of_routing(row.name))]
        return [*super().tools(request, row), *of_event]

    def events_view(self, request: HttpRequest) -> HttpResponse:
        """The page of the event catalogue. All staff may read it because it shows no data of the shop."""
        context = {**self.admin_site.each_context(request), **page_of_events()}
        return TemplateResponse(request, "admin/waybill/events.html", context)

    def routing_view(self, request: HttpRequest) -> HttpResponse:
        """The page of who gets which event, and why.

        Raises:
            PermissionDenied: when the user may not view messages.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        page = page_of_routing(request.GET.get("event", ""))
        context = {**self.admin_site.each_context(request), "opts": self.opts, **page}
        return TemplateResponse(request, "admin/waybill/routing.html", context)

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
