"""Erases a person's data from stored idempotent responses and from their user account."""

from collections.abc import Collection
from itertools import chain
from typing import Any
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db.models import Q
from knox.models import get_token_model

from integration.rest.models import IdempotencyKey
from integration.storage.pages import pages


def forget_responses(stories: Collection[UUID], caller: str | None = None) -> None:
    """Delete the stored responses that belong to some stories, and all of one caller's; one statement.

    Args:
        stories: the correlation ids of the stories.
        caller: the caller as `actor_of` names it; None deletes by story only.
    """
    of_stories = Q(**{"headers__X-Correlation-Id__in": [str(story) for story in stories]})
    IdempotencyKey.objects.filter(of_stories | Q(caller=caller) if caller else of_stories).delete()


def close_account(user: User) -> None:
    """Anonymize a user and make login impossible. The row keeps only its primary key, which other rows refer to."""
    get_token_model().objects.filter(user=user).delete()
    Session.objects.filter(pk__in=_sessions_of(user)).delete()
    # No form accepts a space in a username, so this one cannot be taken.
    user.username, user.email, user.first_name, user.last_name = f"erased {user.pk}", "", "", ""
    user.is_active, user.last_login = False, None
    user.set_unusable_password()
    user.save()
    of_user: dict[str, Any] = {"content_type": ContentType.objects.get_for_model(User), "object_id": str(user.pk)}
    LogEntry.objects.filter(**of_user).update(object_repr=user.username, change_message="")


def _sessions_of(user: User) -> list[str]:
    # Sessions have no column for the user: the id is inside the encoded data.
    sessions = chain.from_iterable(pages(Session.objects.all()))
    return [session.pk for session in sessions if session.get_decoded().get(SESSION_KEY) == str(user.pk)]
