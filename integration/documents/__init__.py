"""What can be told of the house from its own code: drawn and written by `manage.py document`, never by hand.

`catalogue` knows all events, `events_page` writes them down, `asyncapi` describes them for machines, `costs_page` tells
what a test counted, `context_map` and `state_diagram` draw with `svg`. The same code gives the same documents, to the
letter.
"""
