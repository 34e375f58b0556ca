"""Pages of a list that are no list: links to them above the list, and forms that are about no chosen rows."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from integration.admin.pages import ACTS_ONCE, OUTDATED
from integration.admin.question import Question, without_token
from integration.admin.viewer import may_open
from integration.domain.errors import DomainError


class ListTools(admin.ModelAdmin):
    """A list with links to further pages above it."""

    change_list_template = "admin/waybill/list_with_tools.html"

    def list_tools(self, request: HttpRequest) -> list[tuple[str, str]]:
        """The links above the list: labels and URLs."""
        return []

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        tools = [(label, url) for label, url in self.list_tools(request) if may_open(url)]
        return super().changelist_view(request, {"list_tools": tools, **(extra_context or {})})


def form_page(
    page: admin.ModelAdmin,
    request: HttpRequest,
    title: str,
    question: type[Question],
    act: Callable[[Any], str],
    template: str = "admin/waybill/form_page.html",
    **context: Any,
) -> HttpResponse:
    """Show a form that is about no chosen rows and, once it is submitted and valid, act on it, once.

    Args:
        page: the list to which the page belongs.
        act: calls the command with the valid form, and returns the text to show. After a `DomainError` the form is
            shown again, with its input.
        template, context: the page, and what it shows besides the form.

    Returns:
        The page with the form, or a redirect to it when the command has succeeded.
    """
    is_sent = request.method == "POST"
    purpose = f"{request.user.pk}.{request.path}"
    form = question([], request.POST if is_sent else None, purpose)
    if is_sent and not form.is_current:
        messages.warning(request, OUTDATED)
    elif is_sent and form.is_valid():
        if not form.use_token():
            messages.warning(request, ACTS_ONCE)
            return HttpResponseRedirect(request.path)
        try:
            messages.success(request, act(form))
        except DomainError as refusal:
            messages.warning(request, refusal.detail)
            form = question([], without_token(request.POST), purpose)
        else:
            return HttpResponseRedirect(request.path)
    shown = {"title": title, "form": form, "opts": page.opts, **context}
    return TemplateResponse(request, template, {**page.admin_site.each_context(request), **shown})
