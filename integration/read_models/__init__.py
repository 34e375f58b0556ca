"""A read model follows its context's history with a position of its own, so that writing pays nothing for reading.

`feed` reads a history so that nothing is missed, `batch` is what a projection works with, `follow` takes it further,
`rebuild` makes it again from nothing, `lag` tells how late it is.
"""
