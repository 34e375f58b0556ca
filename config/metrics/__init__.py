"""Metrics in Prometheus' format: what each process has counted, and what the database says about depths and ages.

`settings` reads the settings, `processes` adds up what the processes of this machine have counted, `depths` asks the
database, and `serving` responds to `/metrics` and at an address of its own.
"""
