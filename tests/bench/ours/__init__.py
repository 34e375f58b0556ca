"""Waybill under measurement: programs that place its orders, and an extra contract with a consumer."""
