"""A payment provider that charges nobody: Stripe's test names, books of its own, and faults on demand.

It stands for a company elsewhere: nothing of billing's looks into its books, and it looks into nobody's.
"""
