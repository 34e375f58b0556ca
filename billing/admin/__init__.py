"""The admin pages of billing: its books, and what the payment provider has."""

from django.contrib import admin

from billing.admin import (  # noqa: F401 - registers their pages, searches, and what there is to do
    books,
    captures,
    proposals,
    provider,
    search,
    work,
)
from billing.models import History
from integration.admin.history import HistoryAdmin

admin.site.register(History, HistoryAdmin)
