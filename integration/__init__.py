"""All that the contexts share, and nothing else: building blocks, the published language, and the way between them.

It imports no context. `domain` holds what aggregates are made of, `contracts` the events contexts tell each other,
`messaging` carries those from one context to the next, `rest` is what every context's API has in common.
"""
