"""The pages of failures of the same kind, and of replays: what is tried again, how far that is, and how it ended."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html

from integration.admin.badges import badge, status_badge
from integration.admin.columns import NOTHING, Shown, actor_link, column, figure, list_url, moment
from integration.admin.pages import ACTS_ONCE, OUTDATED, ChoiceFilter, ReadOnlyAdmin
from integration.admin.question import Question
from integration.admin.viewer import name_users
from integration.domain.metadata import current_cause
from integration.messaging.consumers import consumers
from integration.messaging.failure_groups import FailureGroup, archive, deliveries_of
from integration.messaging.models import Delivery, Status
from integration.messaging.replay_jobs import MOST_COUNTED, ReplayJob, Selection, preview, start, stop

REFRESHED_EVERY = 3
"""Seconds after which a browser loads the page of a running replay again."""


class ArchivedFilter(ChoiceFilter):
    """Shows the groups that are not archived, unless the others are chosen."""

    title = parameter_name = "archived"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(archived_at__isnull=self.value() != "yes")


class OfConsumerFilter(ChoiceFilter):
    """Filters by consumer."""

    title = parameter_name = "consumer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name, _ in consumers.items()]


def up_to_most(rows: QuerySet[Any]) -> str:
    """The number of rows, or that there are more than `MOST_COUNTED`; one query that reads no more than that."""
    count = rows.order_by()[: MOST_COUNTED + 1].count()
    return f"{count:,}" if count <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"


@column("failure")
def failure(group: FailureGroup) -> Shown:
    """The type of the error, and below it where it was raised."""
    return format_html('{}<br><span class="quiet">{}</span>', group.exception, group.frame or "not in our code")


@column("dead")
def dead(group: FailureGroup) -> str:
    """The dead letters of the group."""
    return up_to_most(deliveries_of(group.pk).filter(status=Status.DEAD))


@column("retrying")
def retrying(group: FailureGroup) -> str:
    """The deliveries of the group that will be tried again."""
    return up_to_most(deliveries_of(group.pk).filter(status=Status.PENDING))


@column("last error")
def last_error(group: FailureGroup) -> str:
    """The error of the newest unsettled delivery of the group."""
    return deliveries_of(group.pk).order_by("-pk").values_list("error", flat=True).first() or NOTHING


@column("archived by")
def archived_by(group: FailureGroup) -> Shown:
    """Who archived the group."""
    return actor_link(group.archived_by) or NOTHING


@admin.register(FailureGroup)
class FailureGroupAdmin(ReadOnlyAdmin):
    """The pages of failures of the same kind."""

    list_display = (
        failure,
        "consumer",
        figure("failures"),
        moment("first_seen", "first seen"),
        moment("last_seen", "last seen"),
    )
    list_filter = (ArchivedFilter, OfConsumerFilter)
    search_fields = ("exception__contains", "frame__contains")
    search_help_text = "A part of an exception's name, or of a file or function."
    sortable_by = ()
    actions = ("archive_groups",)
    fieldsets = (
        (None, {"fields": (("exception", "consumer"), "frame", last_error)}),
        (
            "How often",
            {
                "fields": (
                    (figure("failures"), moment("first_seen", "first seen"), moment("last_seen", "last seen")),
                    (dead, retrying),
                )
            },
        ),
        ("Archived", {"fields": ((moment("archived_at"), archived_by),)}),
    )

    def tools(self, request: HttpRequest, row: FailureGroup) -> list[tuple[str, str]]:
        own = [("Deliveries", list_url(Delivery, {"fingerprint": row.pk}))]
        if may_replay(request):
            own.append(("Replay …", url_of_replay(Selection(fingerprint=row.pk))))
        return own

    def why_not(self, action: str, row: FailureGroup) -> str:
        return "it is archived" if row.archived_at else ""

    @admin.action(description="Archive", permissions=["act"])
    def archive_groups(self, request: HttpRequest, chosen: QuerySet[FailureGroup]) -> None:
        """Take the chosen groups from the list until they fail again."""
        self.perform(request, self.not_too_many(request, chosen), _archive)


def _archive(group: FailureGroup) -> str:
    archive(group.pk, current_cause().actor)
    return f"{group} is archived until it fails again"


# --- Replays ---


class Selecting(forms.Form):
    """Which deliveries to replay."""

    status = forms.ChoiceField(
        choices=[("", "dead and pending"), *((name, name) for name in ("dead", "retrying", "pending"))], required=False
    )
    consumer = forms.CharField(max_length=80, required=False)
    error = forms.CharField(max_length=200, required=False, label="Error contains")
    fingerprint = forms.CharField(max_length=32, required=False, widget=forms.HiddenInput)

    def selection(self) -> Selection:
        """What the form selects; dead letters if it is not valid."""
        return Selection(**self.cleaned_data) if self.is_valid() else Selection(status="dead")


class Starting(Question):
    """How fast to replay what was previewed."""

    rate = forms.IntegerField(
        min_value=1,
        max_value=2_000,
        required=False,
        label="At most",
        help_text="Deliveries a second. Empty: as many as the workers can do.",
    )


def may_replay(request: HttpRequest) -> bool:
    """Whether the user may replay deliveries."""
    return request.user.has_perm("integration.change_delivery")


def url_of_replay(selection: Selection) -> str:
    """The URL of the preview of a replay."""
    parts = {"status": selection.status, "consumer": selection.consumer, "fingerprint": selection.fingerprint}
    return reverse("admin:integration_new_replay", query={name: value for name, value in parts.items() if value})


@column("what")
def what(job: ReplayJob) -> str:
    """What the job replays."""
    return str(job.selection)


@column("progress")
def progress(job: ReplayJob) -> Shown:
    """How far the job is, and how many deliveries it has made due."""
    return f"{job.replayed:,} of {_expected(job)}"


@column("speed")
def speed(job: ReplayJob) -> str:
    """The job's limit."""
    return f"{job.rate} a second" if job.rate else "no limit"


@column("requested by")
def requested_by(job: ReplayJob) -> Shown:
    """Who requested the replay."""
    return actor_link(job.requested_by)


@column("stopped by")
def stopped_by(job: ReplayJob) -> Shown:
    """Who stopped the replay."""
    return actor_link(job.stopped_by) or NOTHING


@column("result")
def result(job: ReplayJob) -> Shown:
    """How many of the deliveries that matched are dead now: those that failed again, or were not replayed."""
    if job.status == ReplayJob.State.RUNNING:
        return "still running"
    left = up_to_most(job.selection.deliveries().filter(status=Status.DEAD, pk__lte=job.newest))
    return badge("none is dead", "good") if left == "0" else badge(f"{left} are dead", "bad")


def _expected(job: ReplayJob) -> str:
    return f"{job.expected:,}" if job.expected < MOST_COUNTED else f"{MOST_COUNTED:,} or more"


@admin.register(ReplayJob)
class ReplayJobAdmin(ReadOnlyAdmin):
    """The pages of replays, and the page that previews and starts one."""

    list_display = ("id", what, "status", progress, speed, moment("requested_at"), requested_by, moment("ended_at"))
    list_filter = ("status",)
    sortable_by = ()
    actions = ("stop_replays",)
    fieldsets = (
        (None, {"fields": (what, ("status", progress, speed))}),
        ("Result", {"fields": (result,)}),
        ("When", {"fields": ((moment("requested_at"), requested_by), (moment("ended_at"), stopped_by))}),
    )

    def prepare(self, rows: Iterable[ReplayJob]) -> None:
        name_users(actor for job in rows for actor in (job.requested_by, job.stopped_by))

    def get_urls(self) -> list[Any]:
        new = path("new/", self.admin_site.admin_view(self.new_view), name="integration_new_replay")
        return [new, *super().get_urls()]

    def why_not(self, action: str, row: ReplayJob) -> str:
        return "" if row.status == ReplayJob.State.RUNNING else f"it is {row.status}"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        response = super().render_change_form(request, context, *args, **kwargs)
        if context["original"].status == ReplayJob.State.RUNNING:
            response.headers["Refresh"] = str(REFRESHED_EVERY)
        return response

    def new_view(self, request: HttpRequest) -> HttpResponse:
        """The page that shows what a selection would replay, and starts it.

        Raises:
            PermissionDenied: when the user may not replay deliveries.
        """
        if not may_replay(request):
            raise PermissionDenied
        selecting = Selecting(request.GET or {"status": "dead"})
        selection = selecting.selection()
        purpose = f"{request.user.pk}.replay.{selection}.{selection.fingerprint}"
        starting = Starting([], request.POST or None, purpose)
        if request.method == "POST":
            if not starting.is_current:
                self.message_user(request, OUTDATED, messages.WARNING)
            elif starting.is_valid():
                return self._start(request, selection, starting)
        matching = preview(selection)
        context = {"title": "Replay deliveries", "opts": self.opts, "selecting": selecting, "starting": starting}
        context |= {"selection": selection, "matching": matching, "most": MOST_COUNTED}
        context["rows"] = [(name, status_badge(Delivery(status=status)), n) for name, status, n in matching.rows]
        whole = {**self.admin_site.each_context(request), **context}
        return TemplateResponse(request, "admin/waybill/replay.html", whole)

    def _start(self, request: HttpRequest, selection: Selection, starting: Starting) -> HttpResponse:
        if not starting.use_token():
            self.message_user(request, ACTS_ONCE, messages.WARNING)
            return HttpResponseRedirect(list_url(ReplayJob, {}))
        job = start(selection, current_cause().actor, starting.cleaned_data["rate"])
        self.log_addition(request, job, f"{job} was requested")
        return HttpResponseRedirect(reverse("admin:integration_replayjob_change", args=[job.pk]))

    @admin.action(description="Stop", permissions=["act"])
    def stop_replays(self, request: HttpRequest, chosen: QuerySet[ReplayJob]) -> None:
        """Stop the chosen replays; what they have made due stays due."""
        self.perform(request, self.not_too_many(request, chosen), _stop)


def _stop(job: ReplayJob) -> str:
    stop(job.pk, current_cause().actor)
    return f"{job} is stopped"
