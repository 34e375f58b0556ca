"""The pages of consumers: their retry schedules, whether they are paused, and actions that pause and resume them."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from integration.admin.columns import NOTHING, Shown, actor_link, column, figure, list_url, moment
from integration.admin.pages import Question, ReadOnlyAdmin
from integration.admin.viewer import name_users
from integration.domain.metadata import current_cause
from integration.messaging.consumer_states import pause, resume
from integration.messaging.consumers import Consumer, consumers
from integration.messaging.models import ConsumerState, Delivery
from integration.messaging.retries import duration_words


def _consumer(state: ConsumerState) -> Consumer | None:
    return consumers.get(state.consumer) if state.consumer in consumers else None


@column("contract")
def contract(state: ConsumerState) -> str:
    """The contract that the consumer consumes."""
    found = _consumer(state)
    return found.listens_to.wire_name if found else "unknown to this code"


@column("retries")
def retries(state: ConsumerState) -> str:
    """The retry schedule: attempts, the longest wait between two of them, and the time until a dead letter."""
    found = _consumer(state)
    if found is None:
        return NOTHING
    schedule = found.retry_schedule
    longest, lasts = duration_words(schedule.longest_wait), duration_words(schedule.lasts)
    return f"{schedule.attempts} attempts, at most {longest} between two, {lasts} in all"


@column("paused by")
def paused_by(state: ConsumerState) -> Shown:
    """Who paused the consumer; `system` if it paused itself."""
    return actor_link(state.paused_by) or NOTHING


@column("resumed by")
def resumed_by(state: ConsumerState) -> Shown:
    """Who resumed the consumer last."""
    return actor_link(state.resumed_by) or NOTHING


class Pausing(Question):
    """Asks for the reason why the deliveries of the chosen consumers are to wait."""

    reason = forms.CharField(
        max_length=2_000, widget=forms.Textarea, help_text="Their deliveries wait, without using up attempts."
    )

    def left(self, row: ConsumerState) -> str:
        return f"paused: {row.reason}" if row.is_paused else "not paused"


@admin.register(ConsumerState)
class ConsumerStateAdmin(ReadOnlyAdmin):
    """The pages of consumers."""

    list_display = ("consumer", contract, retries, moment("paused_at"), paused_by, "reason")
    search_fields = ("consumer__contains",)
    search_help_text = "A part of a consumer's name."
    sortable_by = ()
    actions = ("pause_consumers", "resume_consumers")
    fieldsets = (
        (None, {"fields": (("consumer", contract), retries)}),
        ("Paused", {"fields": ((moment("paused_at"), paused_by, moment("probed_at")), "reason")}),
        ("Resumed", {"fields": ((moment("resumed_at"), resumed_by),)}),
        ("Since its last success", {"fields": ((figure("failures"), figure("deaths", "dead letters")),)}),
    )

    def prepare(self, rows: Iterable[ConsumerState]) -> None:
        name_users(actor for state in rows for actor in (state.paused_by, state.resumed_by))

    def why_not(self, action: str, row: ConsumerState) -> str:
        return "it is not paused" if action == "resume_consumers" and not row.is_paused else ""

    def tools(self, request: HttpRequest, row: ConsumerState) -> list[tuple[str, str]]:
        return [("Deliveries", list_url(Delivery, {"consumer": row.consumer}))]

    @admin.action(description="Pause …", permissions=["act"])
    def pause_consumers(self, request: HttpRequest, chosen: QuerySet[ConsumerState]) -> HttpResponse | None:
        """Ask for a reason and pause the chosen consumers."""
        return self.ask(request, chosen, "pause_consumers", Pausing, _pause)

    @admin.action(description="Resume", permissions=["act"])
    def resume_consumers(self, request: HttpRequest, chosen: QuerySet[ConsumerState]) -> None:
        """Resume the chosen consumers; those that are not paused are refused."""
        self.perform(request, self.not_too_many(request, chosen), _resume)


def _pause(state: ConsumerState, question: Any) -> str:
    pause(state.consumer, question.cleaned_data["reason"], current_cause().actor)
    return f"{state} is paused"


def _resume(state: ConsumerState) -> str:
    resume(state.consumer, current_cause().actor)
    return f"{state} is resumed"
