"""The page on which the API can be read and tried."""

import secrets
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.request import Request
from rest_framework.response import Response

from integration.rest.middleware import POLICY, STYLES_WITHIN, content_security_policy


class Docs(SpectacularSwaggerView):
    """Swagger UI. The page contains one script, which carries a nonce, because no other script in a page is run."""

    template_name = "api/docs.html"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().get(request, *args, **kwargs)
        nonce = secrets.token_urlsafe(16)
        response.data["nonce"] = nonce
        response[POLICY] = content_security_policy(f"'nonce-{nonce}'", styles=STYLES_WITHIN)
        return response

    def options(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Name the methods. The framework would describe the view with the page's template, which needs its data."""
        return HttpResponse(headers={"Allow": ", ".join(self.allowed_methods)})
