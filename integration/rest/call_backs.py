"""What the endpoints for callbacks of providers and carriers have in common."""

from rest_framework.exceptions import APIException


class NotSigned(APIException):
    """The callback is not signed by who should have sent it."""

    status_code = 400
    default_code = "not_signed"
    default_detail = "The callback is not signed by who should have sent it."
