"""Billing's REST API: invoices, payments and refunds, and the payment provider's callbacks."""
