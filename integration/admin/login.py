"""The login page of the admin, which is closed for a while after too many failures."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import Throttled


def login(request: HttpRequest) -> HttpResponse:
    """Django's login page; a sentence with the status 429 after too many failures of the account or the address."""
    try:
        return admin.site.login(request)
    except Throttled as error:
        headers = {"Retry-After": str(getattr(error, "wait", 1)), "Cache-Control": "no-store"}
        return HttpResponse(str(error.detail), "text/plain; charset=utf-8", 429, headers=headers)
