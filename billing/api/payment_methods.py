"""REST views of the payment methods that buyers keep. A buyer sees their own, and nobody else does."""

from typing import Any, ClassVar, cast

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from billing import commands, queries
from billing.gateways import KnownMethod, OutcomeUnknown
from billing.models import PaymentMethod
from integration.domain.identifiers import BuyerId, PaymentMethodId, buyer_of_user
from integration.rest.etags import LOCATION
from integration.rest.fields import Input, Text
from integration.rest.idempotency import KEY, REPLAYED, idempotent
from integration.rest.views import View


class PaymentMethodOutput(serializers.Serializer):
    """A payment method: what its buyer recognizes it by."""

    id = serializers.CharField()
    kind = serializers.CharField(help_text="Such as card or bank_transfer.")
    brand = serializers.CharField(help_text="Such as visa; empty if the kind has none.")
    last4 = serializers.CharField(help_text="The last four digits of its number; empty if the kind has none.")
    expires = serializers.CharField(help_text="The last month in which it can be used, as 2030-12; or empty.")
    created_at = serializers.DateTimeField()


class PaymentMethodInput(Input):
    """A payment method to keep."""

    provider_token = Text(max_length=80, help_text="The provider's name of it, such as pm_card_visa; no card number.")


class ProviderAway(APIException):
    """The payment provider did not respond. Try again later."""

    status_code, default_code = 503, "payment_provider_away"
    default_detail = "The payment provider did not respond. Try again later."


class PaymentMethodFilter(django_filters.FilterSet):
    """Payment methods have no filters."""


class PaymentMethodView(View):
    """A base view of the caller's own payment methods."""

    permission_classes = (IsAuthenticated,)
    serializer_class: Any = PaymentMethodInput
    queryset: QuerySet[Any] = PaymentMethod.objects.none()

    @property
    def buyer(self) -> BuyerId:
        return buyer_of_user(cast(int, self.request.user.pk))


class PaymentMethods(PaymentMethodView):
    """The caller's payment methods."""

    problems: ClassVar = {"POST": (503,)}

    filterset_class = PaymentMethodFilter

    @extend_schema(responses=PaymentMethodOutput(many=True))
    def get(self, request: Request) -> Response:
        """List the caller's payment methods, newest first."""
        page = self.page_of(queries.payment_methods_of(self.buyer))
        return self.get_paginated_response(PaymentMethodOutput(page, many=True).data)

    @extend_schema(
        request=PaymentMethodInput, responses={201: PaymentMethodOutput}, parameters=[LOCATION, KEY, REPLAYED]
    )
    def post(self, request: Request) -> Response:
        """Keep a payment method for later orders."""
        token = PaymentMethodId(self.valid(request)["provider_token"])
        try:
            known = commands.find_method(token)  # asked while no transaction is open
        except OutcomeUnknown as error:
            raise ProviderAway from error
        return self._keep(request, token, known)

    @idempotent
    def _keep(self, request: Request, token: PaymentMethodId, known: KnownMethod | None) -> Response:
        method = commands.add_payment_method(self.buyer, token, known)
        headers = {"Location": reverse("payment-method", [method.id], request=request)}
        return Response(PaymentMethodOutput(method).data, status=201, headers=headers)


class OnePaymentMethod(PaymentMethodView):
    """One of the caller's payment methods."""

    serializer_class = None

    @extend_schema(responses=PaymentMethodOutput)
    def get(self, request: Request, id: str) -> Response:
        """Retrieve a payment method."""
        return Response(PaymentMethodOutput(queries.payment_method(PaymentMethodId(id), self.buyer)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, id: str) -> Response:
        """Remove a payment method, and all that is stored of it."""
        commands.remove_payment_method(PaymentMethodId(id), self.buyer)
        return Response(status=204)
