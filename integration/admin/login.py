"""The pages of the admin that ask for a password, which are closed for a while after too many failures."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import Throttled

from integration.rest.login_attempts import LoginAttempt


def login(request: HttpRequest) -> HttpResponse:
    """Django's login page; a sentence with the status 429 after too many failures of the account or the address."""
    try:
        return admin.site.login(request)
    except Throttled as error:
        return refused(error)


def password_change(request: HttpRequest) -> HttpResponse:
    """Django's page to change the own password; a wrong old password counts as a failed login."""
    if request.method != "POST" or not admin.site.has_permission(request):
        return admin.site.password_change(request)
    attempt = LoginAttempt(request, request.user.get_username())
    try:
        attempt.begin()
    except Throttled as error:
        return refused(error)
    response = admin.site.password_change(request)
    form = (getattr(response, "context_data", None) or {}).get("form")
    if form is None or "old_password" not in form.errors:
        attempt.succeed()
    return response


def refused(error: Throttled) -> HttpResponse:
    """The response to an attempt that comes too early, with the time after which the next one is allowed."""
    headers = {"Retry-After": str(getattr(error, "wait", 1)), "Cache-Control": "no-store"}
    return HttpResponse(str(error.detail), "text/plain; charset=utf-8", 429, headers=headers)
