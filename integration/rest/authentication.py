"""Who asks is told by a token alone: `Authorization: Bearer …`."""

from datetime import timedelta
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication
from knox.models import get_token_model
from rest_framework.exceptions import AuthenticationFailed

from integration.domain import clock
from integration.policies import every


class BearerToken(TokenAuthentication):
    """Knox's tokens; what cannot be one is refused before anything tries to decode it or to look it up."""

    def authenticate_credentials(self, token: bytes) -> Any:
        if not token.isalnum():
            raise AuthenticationFailed("Invalid token.")
        return super().authenticate_credentials(token)

    def _cleanup_token(self, auth_token: Any) -> bool:
        """Whether it has expired. Knox would load all tokens of the user, at every request, to delete old ones."""
        return auth_token.expiry is not None and auth_token.expiry < clock.now()


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
