"""A whole shop in one thread, on a clock of its own: real code, a bad world, and all chance drawn from a seed.

`world` is time and chance, `workers` what a broker and its workers may do wrong, `people` who buys, carries and
charges, and `run` puts them together and says what came of it.
"""
