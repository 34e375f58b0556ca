"""The view of the operators' first page."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from integration.admin.home.page import page_of_home


def home(request: HttpRequest) -> HttpResponse:
    """Django's first page of the admin, with the work of the viewer; the login page for everybody else."""

    def index(request: HttpRequest) -> HttpResponse:
        return admin.site.index(request, extra_context=page_of_home(request))

    return admin.site.admin_view(index)(request)
