"""Generators for the first lines of a new event, a new reaction or a new context.

`manage.py startcontext`, `startevent` and `startpolicy` call them. They write ordinary code, which may be changed
freely: nothing records that the code was generated.
"""
