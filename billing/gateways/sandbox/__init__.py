"""The sandbox: a built-in payment provider that charges nobody.

It accepts the names of Stripe's test payment methods, records what it did in a table of its own, and fails on demand.
It stands for another company: it reads no table of Waybill, and billing reads its table only through the adapter and
the admin.
"""
