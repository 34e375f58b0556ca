"""The way between contexts: publish, then deliver, then done, tried again, or a dead letter.

The database holds the truth: a message once, and one delivery for each of its consumers. The broker is a doorbell.
"""
