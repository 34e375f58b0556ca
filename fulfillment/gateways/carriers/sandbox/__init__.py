"""The sandbox carrier: a built-in carrier that brings nothing anywhere.

It sells labels, and each of its services plays a life: see `adapter.LIVES`. It stands for another company: it reads no
table of Waybill, and fulfillment reads its table only through the adapter.
"""
