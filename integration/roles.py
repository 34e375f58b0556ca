"""The roles of operators: `migrate` makes a group `role-…` for each, with the permissions that the contexts allow.

A role has no permission that nobody allowed. So what is new is refused until the `roles` of its context names it.
Auditors are the exception: they see every page, and have no permission to change anything.
"""

from collections import defaultdict
from typing import Any

from django.apps import AppConfig, apps
from msgspec import Struct

PREFIX = "role-"
"""The prefix of the groups of roles. The groups of contexts have the names of the contexts."""


class Role(Struct, frozen=True):
    """What somebody does in the shop.

    Args:
        name: its name, such as `agent`.
        does: what people in this role do, as a sentence.
    """

    name: str
    does: str

    @property
    def group(self) -> str:
        """The name of its group, such as `role-agent`."""
        return PREFIX + self.name


AGENT = Role("agent", "Talks to buyers: cancels and holds orders, approves returns, and refunds.")
WAREHOUSE = Role("warehouse", "Picks, packs and ships, receives returns, and counts stock.")
BILLING = Role("billing", "Watches over money: refunds, disputes, discrepancies and tax rates.")
AUDITOR = Role("auditor", "Sees everything and changes nothing.")
ENGINEER = Role("engineer", "Runs the system: replays and skips deliveries, pauses consumers, and manages webhooks.")
ROLES = (AGENT, WAREHOUSE, BILLING, AUDITOR, ENGINEER)

NOT_SHOWN = {"contenttypes", "knox", "otp_static", "otp_totp", "sessions"}
"""The apps whose rows are secrets, or nothing that people read. Auditors do not see them either."""
READING = {"integration.read_feed"}
"""Permissions that change nothing, besides those to view."""

_allowed: dict[Role, set[str]] = defaultdict(set)
_sees: dict[Role, set[str]] = defaultdict(set)


def sees(role: Role, *app_labels: str) -> None:
    """Let a role view everything of these apps, also what is added later."""
    _sees[role].update(app_labels)


def allows(role: Role, *permissions: str) -> None:
    """Give a role permissions, such as `ordering.change_order`.

    Raises:
        ValueError: the role is the auditor, who changes nothing.
    """
    if role is AUDITOR:
        raise ValueError("An auditor changes nothing, so no permission can be given to this role.")
    _allowed[role].update(permissions)


def rights_of(role: Role, app_label: str) -> set[str]:
    """The permissions of a role in one app, such as `ordering.view_order`; those that exist."""
    existing = _permissions_of(app_label)
    views = {each for each in existing if each.partition(".")[2].startswith("view_")}
    if role is AUDITOR:
        return set() if app_label in NOT_SHOWN else views | (READING & existing)
    return (views if app_label in _sees[role] else set()) | (_allowed[role] & existing)


def unknown_permissions() -> set[str]:
    """The permissions that a role is allowed and that do not exist, for example because of a misspelt name."""
    existing = {each for app in apps.get_app_configs() for each in _permissions_of(app.label)}
    return {each for permissions in _allowed.values() for each in permissions} - existing


def _permissions_of(app_label: str) -> set[str]:
    """The names of the permissions of an app's models."""
    return {
        f"{app_label}.{codename}"
        for model in apps.get_app_config(app_label).get_models()
        for codename in (
            *(f"{verb}_{model._meta.model_name}" for verb in model._meta.default_permissions),
            *(codename for codename, _ in model._meta.permissions),
        )
    }


def fill_groups(sender: AppConfig, **kwargs: Any) -> None:
    """Give the groups of all roles exactly their permissions in an app; connected to `post_migrate`.

    A permission that was given to such a group by hand is taken from it. A shop that wants other rights makes a group
    of its own.
    """
    from django.contrib.auth.models import Group, Permission

    of_app = Permission.objects.filter(content_type__app_label=sender.label)
    for role in ROLES:
        group, _ = Group.objects.get_or_create(name=role.group)
        wanted = {each.partition(".")[2] for each in rights_of(role, sender.label)}
        group.permissions.remove(
            *group.permissions.filter(content_type__app_label=sender.label).exclude(codename__in=wanted)
        )
        group.permissions.add(*of_app.filter(codename__in=wanted))


allows(
    AGENT,
    "integration.view_message",
    "integration.view_archivedmessage",
    "integration.view_delivery",
    "integration.view_consumerstate",
    "integration.view_failuregroup",
    "integration.view_replayjob",
)
sees(ENGINEER, "integration")
allows(
    ENGINEER,
    "integration.change_consumerstate",
    "integration.change_delivery",
    "integration.change_failuregroup",
    "integration.change_replayjob",
    "integration.change_readmodelbuild",
    "integration.add_webhookendpoint",
    "integration.change_webhookendpoint",
    "integration.delete_webhookendpoint",
    "integration.read_feed",
)
