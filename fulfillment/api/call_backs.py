"""REST view of the carriers' callbacks. The signature alone authenticates the sender."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from fulfillment import commands
from fulfillment.gateways.carriers import ForgedCallBack, UnknownCarrier, carrier
from integration.domain.metadata import act_as
from integration.rest.call_backs import NotSigned
from integration.rest.idempotency import idempotent
from integration.rest.views import View


class CarrierCallBacks(View):
    """The endpoint for the carriers' callbacks."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    pagination_class = None

    @extend_schema(request=OpenApiTypes.OBJECT, responses={204: None})
    @idempotent
    def post(self, request: Request, carrier_name: str) -> Response:
        """Process a callback of a carrier. Callbacks may be repeated and may arrive in any order."""
        try:
            scan = carrier(carrier_name).read_call_back(request._request.body, request.headers)
        except UnknownCarrier:
            raise NotFound from None
        except ForgedCallBack as error:
            raise NotSigned(str(error)) from None
        act_as("carrier")
        commands.note_scan(carrier_name, scan)
        return Response(status=204)
