"""The two users of a demo: an operator, who is staff of every context but no superuser, and a buyer.

Their passwords are their names. Users that exist are not changed.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import BuyerId
from ordering.commands import buyer_of_user
from ordering.models import Buyer

OPERATOR = "operator"
BUYER = "buyer"


def missing_people() -> set[str]:
    """The names of those of the two users that do not exist."""
    known = get_user_model().objects.filter(username__in=[OPERATOR, BUYER]).values_list("username", flat=True)
    return {OPERATOR, BUYER} - set(known)


def let_people_in() -> set[str]:
    """Make the missing users; returns their names."""
    missing = missing_people()
    if OPERATOR in missing:
        _hire_operator()
    if BUYER in missing:
        _register_buyer()
    return missing


def demo_buyer() -> BuyerId | None:
    """The identifier of the demo's buyer, or `None` if there is no such user."""
    user = get_user_model().objects.filter(username=BUYER).first()
    return buyer_of_user(user.pk) if user else None


def admit_operator_to_new_context(instance: Group, created: bool, raw: bool = False, **kwargs: Any) -> None:
    """Let the embedded demo's operator into a context whose group has just been made.

    Connected to `post_save` of groups. An operator who is in no context's group is left alone. So is every server,
    because a user named operator may have fewer rights there.

    Args:
        instance: the saved group.
        created: whether the group is new.
        raw: whether a fixture is being loaded, which contains the memberships itself.
    """
    if created and not raw and settings.EMBEDDED and instance.name in settings.CONTEXTS:
        for user in get_user_model().objects.filter(username=OPERATOR, groups__name__in=settings.CONTEXTS).distinct():
            user.groups.add(instance)


@transaction.atomic
def _hire_operator() -> None:
    user = get_user_model().objects.create_user(OPERATOR, f"{OPERATOR}@example.com", OPERATOR, is_staff=True)
    groups = [Group.objects.get_or_create(name=context)[0] for context in settings.CONTEXTS]
    user.groups.add(*groups, *Group.objects.filter(name="integration"))


def _register_buyer() -> None:
    # Not with `register_customer`, which refuses passwords as weak as this one.
    with unit_of_work() as work:
        user = get_user_model().objects.create_user(BUYER, f"{BUYER}@example.com", BUYER)
        work.add(Buyer.register(buyer_of_user(user.pk), user=user.pk, name="Robin Buyer", email=user.email))
