"""A shop to try Waybill with: its goods (`catalogue`), a reader of a real shop's sales export (`sales_export`), and the
code that enters both. It changes the contexts only through their commands.
"""
