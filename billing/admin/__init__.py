"""The admin pages of billing: its books, and what the payment provider has."""

from django.contrib import admin

from billing.admin import books, captures, proposals, provider  # noqa: F401 - registers their pages
from billing.models import History
from integration.admin.history import HistoryAdmin

admin.site.register(History, HistoryAdmin)
