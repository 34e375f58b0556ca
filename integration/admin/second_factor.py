"""The second factor of the admin: with `SECOND_FACTOR` no page opens before the operator has entered a code.

A device is an authenticator app (TOTP, RFC 6238). Who has none sets it up at the first login, and gets recovery codes,
each of which is accepted once. Codes are counted as logins are: after too many wrong ones the account is closed for a
while.
"""

from collections.abc import Callable
from typing import Any

import segno
from django import forms
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django_otp import devices_for_user, login
from django_otp.middleware import OTPMiddleware
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework.exceptions import Throttled

from integration.admin.login import refused
from integration.rest.second_factor import verified_device

RECOVERY_CODES = 10
"""How many recovery codes a new device comes with."""
OPEN_PATHS = ("/admin/login/", "/admin/logout/", "/admin/jsi18n/")
"""The pages that open without a second factor, besides the one that asks for it."""


class CodeForm(forms.Form):
    """Asks for a code of the authenticator app, or a recovery code."""

    code = forms.CharField(
        max_length=16,
        strip=True,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True, "inputmode": "text"}),
    )


def require_second_factor(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that leads staff without a verified second factor to the page that asks for it."""

    def check(request: HttpRequest) -> HttpResponse:
        asks = reverse("second-factor")
        user: Any = request.user
        if user.is_authenticated and not user.is_verified() and request.path not in (*OPEN_PATHS, asks):
            return HttpResponseRedirect(f"{asks}?next={request.path}")
        return get_response(request)

    of_device = OTPMiddleware(check)

    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.SECOND_FACTOR and request.path.startswith(reverse("admin:index")):
            return of_device(request)
        return get_response(request)

    return middleware


def second_factor(request: HttpRequest) -> HttpResponse:
    """The page that asks for a code and, of users without a device, to set one up.

    A new device counts only once a code of it was entered. Then its recovery codes are shown, this once.
    """
    user: Any = request.user
    if not settings.SECOND_FACTOR or not user.is_authenticated or user.is_verified():
        return redirect(_next(request))
    is_new = next(devices_for_user(user), None) is None
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            device = verified_device(request, user, form.cleaned_data["code"], confirmed=not is_new)
        except Throttled as error:
            return refused(error)
        if device is not None:
            login(request, device)
            request.session.cycle_key()
            return _recovery_codes(request, device) if is_new else redirect(_next(request))
        form.add_error("code", "This code is wrong, was used before, or came too soon after a wrong one.")
    context = {"form": form, "title": "Second factor", "next": _next(request)}
    if is_new:
        context |= _setting_up(user)
    return _page(request, "admin/waybill/second_factor.html", context)


def _setting_up(user: Any) -> dict[str, Any]:
    device, _ = TOTPDevice.objects.get_or_create(user=user, confirmed=False, defaults={"name": "authenticator app"})
    code = segno.make(device.config_url)
    # The picture is made of numbers only.
    picture = mark_safe(code.svg_inline(scale=5, light="#fff", border=3))  # noqa: S308
    return {"picture": picture, "key": _in_fours(device.config_url.partition("secret=")[2].partition("&")[0])}


def _recovery_codes(request: HttpRequest, device: TOTPDevice) -> HttpResponse:
    """Confirm the device, make its recovery codes and show them."""
    codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        StaticDevice.objects.filter(user=device.user).delete()
        recovery = StaticDevice.objects.create(user=device.user, name="recovery codes")
        StaticToken.objects.bulk_create([StaticToken(device=recovery, token=code) for code in codes])
    context = {"title": "Recovery codes", "codes": codes, "next": _next(request)}
    return _page(request, "admin/waybill/recovery_codes.html", context)


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    whole = {**admin.site.each_context(request), "is_nav_sidebar_enabled": False, "available_apps": [], **context}
    return TemplateResponse(request, template, whole, headers={"Cache-Control": "no-store"})


def _next(request: HttpRequest) -> str:
    path = request.POST.get("next") or request.GET.get("next", "")
    is_ours = path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return path if is_ours else reverse("admin:index")


def _in_fours(key: str) -> str:
    return " ".join(key[begin : begin + 4] for begin in range(0, len(key), 4))
