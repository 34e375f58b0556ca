"""The pages of deliveries: one message to one consumer, with the order's number, and why it failed."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.text import Truncator

from integration.admin.causes import by_column, cause_column
from integration.admin.columns import (
    NOTHING,
    Shown,
    actor_link,
    column,
    exact_moment,
    facts,
    link,
    link_to_story,
    linked,
    list_url,
    moment,
    preformatted,
)
from integration.admin.history import may_see_personal
from integration.admin.pages import ChoiceFilter, Question, ReadOnlyAdmin
from integration.admin.relatives import stories_of
from integration.admin.viewer import may_view
from integration.domain.metadata import current_cause
from integration.history.shown import shown_facts_of_message
from integration.messaging.consumers import consumers
from integration.messaging.dead_letters import SKIPPABLE, replay_one, skip_one
from integration.messaging.failure_groups import FailureGroup
from integration.messaging.models import HELD, PARKED, RETRYING, Delivery, Message, Status
from integration.messaging.replay_jobs import ReplayJob

STATES = {
    "dead": Q(status=Status.DEAD),
    "retrying": RETRYING,
    "parked": PARKED,
    "held": Q(status=Status.PENDING, due_at=HELD),
    "pending": Q(status=Status.PENDING),
    "skipped": Q(status=Status.SKIPPED),
    "done": Q(status=Status.DONE),
}
"""What operators look for, with what failed first."""


class StateFilter(ChoiceFilter):
    """Filters by state. Those that are retried are as easy to find as dead letters."""

    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(STATES.get(self.value() or "", Q()))


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
    """The time of the next attempt; a dash unless the delivery is pending, `held` if its consumer is paused."""
    if delivery.status != Status.PENDING:
        return NOTHING
    return "held" if delivery.due_at == HELD else exact_moment(delivery.due_at)


@column("error")
def short_error(delivery: Delivery) -> str:
    """The first 60 characters of the last error, enough to distinguish it from others."""
    return Truncator(delivery.error).chars(60) or NOTHING


@column("traceback")
def traceback(delivery: Delivery) -> Shown:
    """The traceback of the last failed attempt."""
    return preformatted(delivery.traceback)


@column("order")
def order_of(delivery: Delivery) -> Shown:
    """The number of the order that the message is about, as a link to its story."""
    data = delivery.message.data
    order = data.get("order") if isinstance(data, dict) else None  # the data of a message may be anything
    return link_to_story(delivery.message.correlation_id, order if isinstance(order, str) else "story")


@column("alike")
def alike(delivery: Delivery) -> Shown:
    """The group of failures that the last one belongs to."""
    return link(FailureGroup, delivery.fingerprint, "failures of the same kind") if delivery.fingerprint else NOTHING


@column("skipped by")
def skipped_by(delivery: Delivery) -> Shown:
    """Who skipped the delivery."""
    return actor_link(delivery.skipped_by) or NOTHING


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

    list_display = ("id", order_of, "contract", "consumer", "status", "attempts", due, moment("done_at"), short_error)
    list_filter = (StateFilter, ContextFilter, ConsumerFilter)
    list_select_related = ("message",)
    search_fields = ("consumer__contains",)
    search_help_text = "An order, invoice, payment or shipment number, the id of a message or story, or a consumer."
    sortable_by = ()
    uuids = ("message_id", "message__correlation_id")
    story_path = "message__correlation_id"
    actions = ("try_again_now", "skip_for_good")
    change_list_template = "admin/waybill/deliveries.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    linked(Message, "message_id", "message", text="message.name"),
                    ("consumer", "context", "external"),
                )
            },
        ),
        ("Status", {"fields": (("status", "attempts", due, moment("done_at")),)}),
        ("Last error", {"fields": ("error", alike, traceback)}),
        ("Skipped", {"fields": ("skip_reason", (skipped_by, moment("skipped_at")))}),
        ("Cause", {"fields": (cause_column("message"), by_column("message"))}),
        ("Data", {"fields": (facts("message.shown_facts", "data"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("traceback")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        lists = {"Failures of the same kind": FailureGroup, "Replays": ReplayJob}
        links = [(label, list_url(model, {})) for label, model in lists.items() if may_view(model)]
        if self.has_act_permission(request):
            state, consumer = request.GET.get("state", ""), request.GET.get("consumer", "")
            wanted = {"status": state if state in ("dead", "retrying", "pending") else "dead", "consumer": consumer}
            links.append(("Replay …", reverse("admin:integration_new_replay", query=wanted)))
        return super().changelist_view(request, {**(extra_context or {}), "links": links})

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "fingerprint" or super().lookup_allowed(lookup, value, request)

    def exact_matches(self, term: str) -> list[Q]:
        return [*super().exact_matches(term), Q(message__correlation_id__in=stories_of(term))]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        delivery = super().get_object(request, object_id, from_field)
        if delivery is not None:
            delivery.message.shown_facts = shown_facts_of_message(delivery.message, may_see_personal)
        return delivery

    def why_not(self, action: str, row: Delivery) -> str:
        if action == "skip_for_good":
            if row.status == Status.DEAD or (row.status == Status.PENDING and row.attempts and row.error):
                return ""  # `SKIPPABLE` holds, so a page of failed deliveries needs no query for each
            return "" if Delivery.objects.filter(SKIPPABLE, pk=row.pk).exists() else "it has not failed"
        return "" if row.status in (Status.DEAD, Status.PENDING) else f"it is {row.status}"

    @admin.display(description="contract")
    def contract(self, delivery: Delivery) -> str:
        """The contract of the delivery's message."""
        return delivery.message.name

    @admin.action(description="Try again now", permissions=["act"])
    def try_again_now(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        """Replay the chosen deliveries; their counts of attempts restart at zero. Settled ones are refused."""
        self.perform(request, self.not_too_many(request, chosen), _try_again)

    @admin.action(description="Skip permanently …", permissions=["act"])
    def skip_for_good(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> HttpResponse | None:
        """Ask for a reason and skip the chosen deliveries; those that have not failed are refused."""
        return self.ask(request, chosen, "skip_for_good", Skipping, _skip)


def _try_again(delivery: Delivery) -> str:
    replay_one(delivery.pk)
    return f"{delivery} will be tried again now"


def _skip(delivery: Delivery, question: Skipping) -> str:
    skip_one(delivery.pk, question.cleaned_data["reason"], current_cause().actor)
    return f"{delivery} is skipped permanently"
