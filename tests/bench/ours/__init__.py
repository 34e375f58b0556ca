"""Waybill as it is measured: the programs that place its orders, and a consumer and its contract besides."""
