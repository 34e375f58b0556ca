"""REST view of the payment provider's callbacks. The signature alone authenticates the sender."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from billing import commands
from billing.gateways import ForgedCallBack, provider
from integration.domain.metadata import act_as
from integration.rest.call_backs import NotSigned
from integration.rest.idempotency import idempotent
from integration.rest.views import View


class CallBacks(View):
    """The endpoint for the payment provider's callbacks."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    pagination_class = None

    @extend_schema(request=OpenApiTypes.OBJECT, responses={204: None})
    @idempotent
    def post(self, request: Request, provider_name: str) -> Response:
        """Process a callback of the payment provider. Callbacks may be repeated and may arrive in any order."""
        try:
            gateway = provider(provider_name)
        except LookupError:
            raise NotFound from None
        try:
            call_back = gateway.read_call_back(request._request.body, request.headers)
        except ForgedCallBack as error:
            raise NotSigned(str(error)) from None
        act_as("payment provider")
        commands.note_call_back(provider_name, call_back)
        return Response(status=204)
