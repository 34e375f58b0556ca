"""Tables of dependent rows on their parent's page."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from integration.admin.badges import with_badges


class RowInline(admin.TabularInline):
    """A table of dependent rows on their parent's page, for users who may view these rows on their own page."""

    template = "admin/waybill/rows.html"
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return with_badges(self.model, super().get_fields(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)


class PartInline(RowInline):
    """The parts of an aggregate in the order of their creation, for users who may view the aggregate."""

    ordering = ("pk",)
    verbose_name_plural = "lines"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.get_model_admin(self.parent_model).has_view_permission(request, obj)
