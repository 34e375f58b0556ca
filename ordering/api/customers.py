"""REST views of customers: registration, and the caller's own profile."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from integration.rest.credentials import MAX_PASSWORD_LENGTH
from integration.rest.etags import CHANGING, READING, etag, versions_expected
from integration.rest.fields import (
    AddressField,
    Email,
    Input,
    NormalizedPattern,
    NormalizedText,
    Text,
    WarningOutput,
    YesNo,
    address_warnings,
)
from integration.rest.idempotency import idempotent
from integration.rest.views import View, represent
from ordering import commands, queries
from ordering.api.caller import caller
from ordering.models import Buyer


class CustomerInput(Input):
    """A customer to register."""

    username = NormalizedPattern(
        r"^[\w.@+-]+\Z",
        max_length=150,
        error_messages={"invalid": "A username may contain only letters, digits and @ . + - _."},
    )
    password = NormalizedText(max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False)
    email = Email(max_length=254)
    name = Text(max_length=200)


class CustomerOutput(serializers.Serializer):
    """A registered customer, as shown to that customer."""

    id = serializers.CharField()
    username = serializers.CharField(source="user.username")
    email = serializers.EmailField()
    name = serializers.CharField()


class Customers(View):
    """Registration of customers."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    serializer_class = CustomerInput

    def kind_of_request(self) -> str:
        return "registration"

    @extend_schema(request=CustomerInput, responses={201: CustomerOutput})
    @idempotent
    def post(self, request: Request) -> Response:
        """Register a customer, who can then log in and place orders."""
        buyer = commands.register_customer(**self.valid(request))
        return Response(represent(CustomerOutput, buyer), status=201)


class PreferencesInput(Input):
    """How the buyer wants to be notified."""

    locale = Text(max_length=10, required=False)
    email_notifications = YesNo(required=False)


class ProfileInput(Input):
    """Changes to the buyer's own profile; a field that is left out stays as it is."""

    email = Email(max_length=254, required=False)
    name = Text(max_length=200, required=False)
    default_shipping_address = AddressField(required=False, allow_null=True)
    preferences = PreferencesInput(required=False)


class PreferencesOutput(serializers.Serializer):
    """How the buyer wants to be notified."""

    locale = serializers.CharField()
    email_notifications = serializers.BooleanField()


class ProfileOutput(serializers.Serializer):
    """The profile of a buyer."""

    email = serializers.EmailField()
    name = serializers.CharField()
    default_shipping_address = AddressField(allow_null=True)
    preferences = serializers.SerializerMethodField()
    warnings = serializers.SerializerMethodField()

    @extend_schema_field(PreferencesOutput)
    def get_preferences(self, buyer: Buyer) -> dict[str, Any]:
        return {"locale": buyer.locale, "email_notifications": buyer.email_notifications}

    @extend_schema_field(WarningOutput(many=True))
    def get_warnings(self, buyer: Buyer) -> list[dict[str, str]]:
        return address_warnings(buyer.default_shipping_address, "#/default_shipping_address")


class Me(View):
    """The caller's own profile."""

    serializer_class = ProfileInput

    @extend_schema(responses=ProfileOutput, parameters=READING)
    def get(self, request: Request) -> Response:
        """Retrieve the caller's own profile."""
        return self._represent(queries.profile_of(caller(request), request.user))

    @extend_schema(request=ProfileInput, responses=ProfileOutput, parameters=CHANGING)
    def patch(self, request: Request) -> Response:
        """Change some of the caller's own profile.

        Fields and preferences that are left out stay as they are.
        """
        changes = self.valid(request)
        changes.update(changes.pop("preferences", {}))
        buyer = commands.change_profile(caller(request), changes, versions_expected(request), user=request.user.pk)
        return self._represent(buyer)

    def _represent(self, buyer: Buyer) -> Response:
        return Response(represent(ProfileOutput, buyer), headers=etag(buyer))
