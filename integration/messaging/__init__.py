"""Messages between contexts: publish, then deliver. A delivery ends as done, is retried, or becomes a dead letter.

The database is the source of truth. It holds each message once, with one delivery for each consumer. The broker only
wakes workers up.
"""
