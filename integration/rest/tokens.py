"""Login: a client exchanges a password for a token, then sends `Authorization: Bearer …`. Only hashes are stored."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import authenticate
from drf_spectacular.utils import extend_schema
from knox.models import get_token_model
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from integration.domain.text import normalized
from integration.rest.credentials import MAX_PASSWORD_LENGTH
from integration.rest.fields import Input, NormalizedText, Text
from integration.rest.second_factor import is_required, verified_device
from integration.rest.views import View


class Credentials(Input):
    """A username and a password, and of staff a code where a second factor is required."""

    username = NormalizedText(max_length=150)
    code = Text(max_length=16, required=False, help_text="Staff only, where a second factor is required.")
    # As typed: passwords stored before normalization are compared as they were typed then.
    password = Text(max_length=4 * MAX_PASSWORD_LENGTH, trim_whitespace=False)

    def validate_password(self, password: str) -> str:
        if len(normalized(password)) > MAX_PASSWORD_LENGTH:
            raise serializers.ValidationError(
                f"Ensure this field has no more than {MAX_PASSWORD_LENGTH} characters.", "max_length"
            )
        return password


class Token(serializers.Serializer):
    """A token to send as `Authorization: Bearer`."""

    token = serializers.CharField()


class Tokens(View):
    """Creates a token, and deletes all tokens of the caller."""

    serializer_class = Credentials

    @property
    def _creates(self) -> bool:
        """Whether the request creates a token. While the API's document is made, there is no request at first."""
        return getattr(self.request, "method", "") == "POST"

    def kind_of_request(self) -> str:
        return "login" if self._creates else super().kind_of_request()

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [] if self._creates else super().get_authenticators()

    def get_permissions(self) -> Sequence[Any]:
        return [AllowAny()] if self._creates else super().get_permissions()

    def get_authenticate_header(self, request: Request) -> str:
        # Creating a token requires none, but a wrong password is still a 401, which needs this header.
        return "Bearer"

    @extend_schema(request=Credentials, responses={201: Token})
    def post(self, request: Request) -> Response:
        """Create a token.

        Exchanges a username and a password for a token. An `Idempotency-Key` has no effect on this operation: a token
        is a secret, so the response is not stored. Where staff need a second factor, they send its code as well; they
        set it up in the admin.
        """
        credentials = self.valid(request)
        code = credentials.pop("code", "")
        user = authenticate(request, **credentials)
        if user is None:
            raise AuthenticationFailed("There is no user with this username and password.")
        if is_required(user) and not (code and verified_device(request, user, code)):
            raise AuthenticationFailed("Staff log in with a second factor: send its code as `code`, each only once.")
        _, token = get_token_model().objects.create(user)
        return Response({"token": token}, status=201, headers={"Cache-Control": "no-store"})

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Delete all tokens of the caller, on every device. The token of this request ends as well."""
        get_token_model().objects.filter(user=request.user).delete()
        return Response(status=204)


class CurrentToken(View):
    """The token of the request."""

    serializer_class = Token

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Log out: delete the token of this request. Other tokens of the caller stay."""
        get_token_model().objects.filter(pk=request.auth.pk).delete()
        return Response(status=204)
