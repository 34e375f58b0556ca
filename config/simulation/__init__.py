"""A whole shop in one thread, on a virtual clock: the real code, many failures, and every random choice from one seed.

`world` has the clock and the random choices, `workers` the failures of the broker and its workers, `people` the buyers,
the carrier and the payment provider. `run` puts them together and checks the result.
"""
