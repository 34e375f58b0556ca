"""REST view of what a shop's checkout page must know about the payment provider. It is open to all."""

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from billing.gateways import provider
from integration.rest.views import View


class PaymentConfigOutput(serializers.Serializer[dict[str, object]]):
    """What a checkout page needs to make a payment method at the provider."""

    provider = serializers.CharField(help_text="The name of the payment provider.")
    publishable_key = serializers.CharField(
        allow_blank=True, help_text="The key with which a browser talks to the provider; empty if it needs none."
    )
    kinds = serializers.ListField(child=serializers.CharField(), help_text="The kinds of payment methods, as `card`.")


class PaymentConfig(View):
    """The payment provider of the shop."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    pagination_class = None

    @extend_schema(responses=PaymentConfigOutput)
    def get(self, request: Request) -> Response:
        """The payment provider, its publishable key, and the kinds of payment methods."""
        at = provider()
        said: dict[str, object] = {
            "provider": settings.PAYMENT_PROVIDER,
            "publishable_key": at.publishable_key,
            "kinds": list(at.kinds),
        }
        return Response(PaymentConfigOutput(said).data)
