"""Fulfillment's REST API."""
