"""The documents that `manage.py document` generates from the code. Nobody edits them by hand.

`catalogue` collects all events. `events_page` writes them as Markdown, and `asyncapi` describes them for programs.
`costs_page` writes what a test counted. `context_map`, `order_journey` and `state_diagram` draw pictures with `svg`.
The same code always generates the same bytes, so a test can detect stale documents.
"""
