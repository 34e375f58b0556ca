"""The page of acts: what operators did in the admin, and who. What a command changed is in the history besides."""

from collections.abc import Iterable

from django.contrib import admin
from django.contrib.admin.models import LogEntry

from integration.admin.columns import NOTHING, Shown, actor_link, column, link_to, moment
from integration.admin.pages import ReadOnlyAdmin
from integration.admin.viewer import name_users


@column("who")
def who(act: LogEntry) -> Shown:
    """The operator."""
    return actor_link(_actor(act))


@column("of what")
def of_what(act: LogEntry) -> Shown:
    """The row that the act was about."""
    target = act.get_admin_url()
    return link_to(target, act.object_repr) if target else act.object_repr or NOTHING


@column("what was done")
def what_was_done(act: LogEntry) -> str:
    """The act as a sentence."""
    return act.get_change_message() or str(act.get_action_flag_display())


def _actor(act: LogEntry) -> str:
    return f"user:{act.user_id}"


@admin.register(LogEntry)
class ActAdmin(ReadOnlyAdmin):
    """The acts of operators in the admin."""

    list_display = (moment("action_time", "when"), who, what_was_done, of_what)
    list_display_links = (what_was_done,)
    list_select_related = ("content_type",)
    list_filter = ("content_type",)
    search_fields = ("object_id", "change_message__contains")
    search_help_text = "The key of a row, or a part of what was done."
    sortable_by = ()
    fieldsets = ((None, {"fields": (moment("action_time", "when"), who, what_was_done, of_what)}),)

    def prepare(self, rows: Iterable[LogEntry]) -> None:
        name_users(map(_actor, rows))
