"""Who asks is told by a token alone: `Authorization: Bearer …`."""

from datetime import timedelta
from functools import cache
from typing import Any

from django.contrib.auth import get_user_model
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from knox.models import get_token_model
from rest_framework.exceptions import AuthenticationFailed

from integration.domain import clock
from integration.policies import every
from integration.storage.reading import select
from integration.storage.sql import selected


class BearerToken(TokenAuthentication):
    """Knox's tokens; what cannot be one is refused before anything tries to decode it or to look it up."""

    def authenticate_credentials(self, token: bytes) -> Any:
        """Who has this token, and what is known of it; one query. Raises `AuthenticationFailed`.

        Knox would have the ORM put it, which took a sixth of placing an order, and load all tokens of the user besides,
        to delete old ones.
        """
        if token.isalnum():
            # The key is a hash: how long looking for it takes says nothing of the tokens there are.
            known = select(_known(), [hash_token(token.decode())], get_token_model(), get_user_model())
            for auth_token, user in known:
                if auth_token.expiry is None or auth_token.expiry > clock.now():
                    auth_token.user = user
                    return self.validate_user(auth_token)
        raise AuthenticationFailed("Invalid token.")


@cache
def _known() -> str:
    token, user = get_token_model(), get_user_model()
    known, who = token._meta.db_table, user._meta.db_table
    return f"""
        SELECT {selected(token)}, {selected(user)}
        FROM {known} JOIN {who} ON {who}.{user._meta.pk.column} = {known}.user_id
        WHERE {known}.digest = %s
    """  # noqa: S608 - names of the code only


@every(timedelta(hours=1), name="integration.forget-expired-tokens")
def forget_expired_tokens() -> None:
    """Let go of tokens nobody is known by any more."""
    get_token_model().objects.filter(expiry__lt=clock.now()).delete()


class BearerScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document says so."""

    target_class = BearerToken
    name = "Bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token from `POST /api/v1/auth/tokens`.",
        }
