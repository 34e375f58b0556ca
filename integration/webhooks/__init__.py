"""Webhooks: integration events are sent to the HTTP endpoints that staff registered, each signed and at least once.

Source: the Standard Webhooks specification, version 1.0.0, and CloudEvents 1.0 in structured JSON mode.
"""
