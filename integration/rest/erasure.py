"""What is left of a person in answers that were kept, and in the account they logged in with."""

from collections.abc import Collection
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


def forget_responses(stories: Collection[UUID], caller: str | None = None) -> None:
    """Delete the answers kept for whoever asked something of these stories, and all of one caller's; one statement."""
    asked = Q(**{"headers__X-Correlation-Id__in": [str(story) for story in stories]})
    IdempotencyKey.objects.filter(asked | Q(caller=caller) if caller else asked).delete()


def close_account(user: User) -> None:
    """Leave of a user their number and what is known under it: nobody is told by it, and nobody can log in with it."""
    get_token_model().objects.filter(user=user).delete()
    Session.objects.filter(pk__in=_sessions_of(user)).delete()
    # No form allows the space, so the name is free.
    user.username, user.email, user.first_name, user.last_name = f"erased {user.pk}", "", "", ""
    user.is_active, user.last_login = False, None
    user.set_unusable_password()
    user.save()
    of_user: dict[str, Any] = {"content_type": ContentType.objects.get_for_model(User), "object_id": str(user.pk)}
    LogEntry.objects.filter(**of_user).update(object_repr=user.username, change_message="")


def _sessions_of(user: User) -> list[str]:
    # Whose a session is stands inside of it.
    return [
        session.pk for session in Session.objects.iterator() if session.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
