"""Ordering's REST API: products, customers and orders."""
