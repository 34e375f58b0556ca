"""Billing over REST: the payment provider's call-backs. Whoever calls is known by the signature alone."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from billing import commands
from billing.gateways import ForgedCallBack, provider
from integration.rest.idempotency import idempotent
from integration.rest.views import View


class NotSigned(APIException):
    """The call-back is not the provider's."""

    status_code = 400
    default_code = "not_signed"
    default_detail = "The call-back is not signed by the provider."


class CallBacks(View):
    """What the payment provider tells of its own accord."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    pagination_class = None

    @extend_schema(request=OpenApiTypes.OBJECT, responses={204: None})
    @idempotent
    def post(self, request: Request, provider_name: str) -> Response:
        """Hear it out: repetitions are harmless, and any order will do."""
        try:
            gateway = provider(provider_name)
        except LookupError:
            raise NotFound from None
        try:
            call_back = gateway.read_call_back(request._request.body, request.headers)
        except ForgedCallBack as error:
            raise NotSigned(str(error)) from None
        commands.note_call_back(provider_name, call_back)
        return Response(status=204)
