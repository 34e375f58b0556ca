"""The operators' pages in Django's admin. Every row can be found and read; changes are made only through commands.

The contexts build their own pages from `pages` and `columns`. `history` shows domain events, `messaging` messages,
`deliveries` what became of each, and `replays` which failures are alike and what is tried again. `story` shows events
and messages as a tree of causes. `life` shows one aggregate after each of its events. `catalogue` describes every
event, `routing` and `consumers` who reacts to them, `webhooks` who else gets them, `read_models` shows projections,
and `acts` what operators did. A context's page imports its own context only. Links to other contexts are found by the
shared story or by the shared identifier (`relatives`).
"""

from django.contrib import admin

from integration.admin import (  # noqa: F401 - importing them registers their pages
    acts,
    consumers,
    deliveries,
    messaging,
    read_models,
    replays,
    stuck,
    webhooks,
)

admin.site.site_header = admin.site.site_title = "Waybill"
admin.site.index_title = "Work to do"
