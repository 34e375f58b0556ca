"""Stripe as the payment provider, through its official library.

A payment is a PaymentIntent: it is created unconfirmed, its id is committed, and then it is confirmed. So whatever
response is lost, the intent is known by its id and is never confirmed twice. The buyer's browser only opens the page of
`next_action`: no client secret leaves Waybill, and an intent that was declined cannot be paid by anybody.
"""
