"""The operators' pages: everything can be found and read, and nothing is changed but by a command.

`pages` and `columns` are what the contexts' own pages are made of, `history` shows what happened, `messaging` what is
on its way, `story` both of them as a tree of causes, `catalogue` what every event means, `read_models` what is read
instead of aggregates. A context's page knows its own context only; what leads from one context to another is the story
both belong to, or the sku both speak of
(`relatives`).
"""

from django.contrib import admin

from integration.admin import messaging, read_models  # noqa: F401 - they register their pages

admin.site.site_header = admin.site.site_title = "Waybill"
admin.site.index_title = "From the cart to the doorstep"
