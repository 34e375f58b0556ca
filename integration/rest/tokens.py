"""Tokens: a password once, then `Authorization: Bearer …`. Only a token's hash is stored."""

from django.contrib.auth import authenticate
from drf_spectacular.utils import extend_schema
from knox.models import get_token_model
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle

from integration.rest.fields import Input, Text
from integration.rest.views import View


class Credentials(Input):
    """Who one says one is."""

    username = Text(max_length=150)
    password = Text(max_length=128, trim_whitespace=False)


class Token(serializers.Serializer):
    """What to send as `Authorization: Bearer`."""

    token = serializers.CharField()


class Tokens(View):
    """Log in."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    serializer_class = Credentials
    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "tokens"

    def get_authenticate_header(self, request: Request) -> str:
        # No authentication is asked for here, but a wrong password is a 401 all the same.
        return "Bearer"

    @extend_schema(request=Credentials, responses={201: Token})
    def post(self, request: Request) -> Response:
        """A token for a username and a password.

        An `Idempotency-Key` has no effect here: a token is a secret, so it is not kept to be given out again.
        """
        user = authenticate(request, **self.valid(request))
        if user is None:
            raise AuthenticationFailed("There is no user with this username and password.")
        _, token = get_token_model().objects.create(user)
        return Response({"token": token}, status=201, headers={"Cache-Control": "no-store"})
