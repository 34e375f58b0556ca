"""The few lines that every new event, reaction or context begins with, written into the right rooms.

`manage.py startcontext`, `startevent` and `startpolicy` call these. What they write is ordinary code: nothing remembers
that it was generated, and everything in it may be changed.
"""
